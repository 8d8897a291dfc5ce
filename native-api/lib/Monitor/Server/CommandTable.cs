// All commands by their names.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Jobs;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Monitor.Nbd;
using FastBackup.Native.Monitor.Nodes;
using FastBackup.Native.Monitor.Plans;

namespace FastBackup.Native.Monitor.Server;

/// <summary>Threads: the monitor's.</summary>
sealed class CommandTable
{
    readonly Dictionary<string, CommandHandler> _handlers;

    public CommandTable(
        NodeCommands nodes,
        NodeQuery nodeQuery,
        ResizeCommand resize,
        CreateCommand create,
        JobCommands jobs,
        JobQueries jobQueries,
        TransactionCommands transactions,
        CheckpointCommands checkpoints,
        BitmapHash hash,
        ExportCommands exports
    ) =>
        _handlers = new()
        {
            ["qmp_capabilities"] = SessionCommands.Capabilities,
            ["query-version"] = SessionCommands.Version,
            ["query-commands"] = Names,
            ["query-qmp-schema"] = MachineCommands.Schema,
            ["query-name"] = MachineCommands.Name,
            ["query-status"] = MachineCommands.Status,
            ["query-block"] = nodeQuery.Drives,
            ["query-block-exports"] = exports.Query,
            ["nbd-server-start"] = exports.Start,
            ["nbd-server-add"] = exports.AddNamed,
            ["nbd-server-remove"] = exports.RemoveNamed,
            ["nbd-server-stop"] = exports.Stop,
            ["block-export-add"] = exports.Add,
            ["block-export-del"] = exports.Remove,
            ["blockdev-add"] = nodes.Add,
            ["blockdev-create"] = create.Run,
            ["blockdev-del"] = nodes.Remove,
            ["query-named-block-nodes"] = nodeQuery.Nodes,
            ["block_resize"] = resize.Run,
            ["blockdev-backup"] = transactions.Backup,
            ["transaction"] = transactions.Group,
            ["block-dirty-bitmap-add"] = transactions.BitmapAdd,
            ["block-dirty-bitmap-remove"] = transactions.BitmapRemove,
            ["block-dirty-bitmap-clear"] = transactions.BitmapClear,
            ["block-dirty-bitmap-enable"] = transactions.BitmapEnable,
            ["block-dirty-bitmap-disable"] = transactions.BitmapDisable,
            ["block-dirty-bitmap-merge"] = transactions.BitmapMerge,
            ["x-debug-block-dirty-bitmap-sha256"] = hash.Run,
            ["x-checkpoint-add"] = transactions.CheckpointAdd,
            ["x-checkpoint-list"] = checkpoints.List,
            ["x-checkpoint-delete"] = checkpoints.Delete,
            ["query-jobs"] = jobQueries.Jobs,
            ["query-block-jobs"] = jobQueries.BlockJobs,
            ["x-query-statistics"] = jobQueries.Statistics,
            ["job-pause"] = jobs.Pause,
            ["job-resume"] = jobs.Resume,
            ["job-cancel"] = jobs.Cancel,
            ["job-complete"] = jobs.Complete,
            ["job-finalize"] = jobs.Finalize,
            ["job-dismiss"] = jobs.Dismiss,
            ["block-job-pause"] = jobs.BlockPause,
            ["block-job-resume"] = jobs.BlockResume,
            ["block-job-cancel"] = jobs.BlockCancel,
            ["block-job-complete"] = jobs.BlockComplete,
            ["block-job-finalize"] = jobs.BlockFinalize,
            ["block-job-dismiss"] = jobs.BlockDismiss,
            ["block-job-set-speed"] = jobs.SetSpeed,
            ["x-job-set-guest-priority"] = jobs.SetGuestPriority,
        };

    /// <summary>The handler of a name, or null.</summary>
    public CommandHandler? Find(string name) => _handlers.GetValueOrDefault(name);

    CommandAnswer Names(CommandCall call) =>
        call.Arguments.End() is { } error
            ? error
            : JsonValue.Of([.. _handlers.Keys.Select(name => JsonValue.Object(("name", JsonValue.Of(name))))]);
}
