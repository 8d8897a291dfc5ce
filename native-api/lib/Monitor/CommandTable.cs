// All commands by their names.
using System.Collections.Generic;
using FastBackup.Native.Monitor.Commands;

namespace FastBackup.Native.Monitor;

static class CommandTable
{
    public static Dictionary<string, CommandHandler> Commands { get; } =
        new()
        {
            ["qmp_capabilities"] = SessionCommands.Capabilities,
            ["query-version"] = SessionCommands.Version,
            ["query-commands"] = SessionCommands.Names,
            ["blockdev-add"] = NodeCommands.Add,
            ["blockdev-del"] = NodeCommands.Remove,
            ["query-named-block-nodes"] = NodeQuery.Run,
            ["blockdev-backup"] = TransactionCommands.Backup,
            ["transaction"] = TransactionCommands.Group,
            ["block-dirty-bitmap-add"] = TransactionCommands.BitmapAdd,
            ["block-dirty-bitmap-remove"] = TransactionCommands.BitmapRemove,
            ["block-dirty-bitmap-clear"] = TransactionCommands.BitmapClear,
            ["block-dirty-bitmap-enable"] = TransactionCommands.BitmapEnable,
            ["block-dirty-bitmap-disable"] = TransactionCommands.BitmapDisable,
            ["block-dirty-bitmap-merge"] = TransactionCommands.BitmapMerge,
            ["x-debug-block-dirty-bitmap-sha256"] = BitmapHash.Run,
            ["query-jobs"] = JobQueries.Jobs,
            ["query-block-jobs"] = JobQueries.BlockJobs,
            ["x-query-statistics"] = JobQueries.Statistics,
            ["job-pause"] = JobCommands.Pause,
            ["job-resume"] = JobCommands.Resume,
            ["job-cancel"] = JobCommands.Cancel,
            ["job-complete"] = JobCommands.Complete,
            ["job-finalize"] = JobCommands.Finalize,
            ["job-dismiss"] = JobCommands.Dismiss,
            ["block-job-pause"] = JobCommands.BlockPause,
            ["block-job-resume"] = JobCommands.BlockResume,
            ["block-job-cancel"] = JobCommands.BlockCancel,
            ["block-job-complete"] = JobCommands.BlockComplete,
            ["block-job-finalize"] = JobCommands.BlockFinalize,
            ["block-job-dismiss"] = JobCommands.BlockDismiss,
            ["block-job-set-speed"] = JobCommands.SetSpeed,
            ["x-job-set-guest-priority"] = JobCommands.SetGuestPriority,
        };
}
