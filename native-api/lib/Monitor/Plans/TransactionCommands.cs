// Commands that change disks: each is a plan of one action, a transaction one of several. Arguments are read here, in
// the order of QEMU's schema; what the actions do is in Plans.
using System.Collections.Generic;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Jobs;
using FastBackup.Native.Monitor.Nodes;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the monitor's.</summary>
sealed class TransactionCommands(
    MonitorTurns turns,
    NodeTable nodes,
    StartedJobs jobs,
    WaitingPlans waiting,
    MonitorInbox inbox,
    PatientFiles files
)
{
    static readonly string[] s_types =
    [
        "abort",
        "block-dirty-bitmap-add",
        "block-dirty-bitmap-remove",
        "block-dirty-bitmap-clear",
        "block-dirty-bitmap-enable",
        "block-dirty-bitmap-disable",
        "block-dirty-bitmap-merge",
        "blockdev-backup",
        "x-checkpoint-add",
    ];

    static readonly string[] s_completionModes = ["individual", "grouped"];

    public CommandAnswer Backup(CommandCall call) => Single(call, "blockdev-backup");

    public CommandAnswer BitmapAdd(CommandCall call) => Single(call, "block-dirty-bitmap-add");

    public CommandAnswer BitmapRemove(CommandCall call) => Single(call, "block-dirty-bitmap-remove");

    public CommandAnswer BitmapClear(CommandCall call) => Single(call, "block-dirty-bitmap-clear");

    public CommandAnswer BitmapEnable(CommandCall call) => Single(call, "block-dirty-bitmap-enable");

    public CommandAnswer BitmapDisable(CommandCall call) => Single(call, "block-dirty-bitmap-disable");

    public CommandAnswer BitmapMerge(CommandCall call) => Single(call, "block-dirty-bitmap-merge");

    public CommandAnswer CheckpointAdd(CommandCall call) => Single(call, "x-checkpoint-add");

    public CommandAnswer Group(CommandCall call)
    {
        List<PlanAction> actions = [];
        foreach (ArgumentReader item in call.Arguments.Objects("actions"))
        {
            int? type = item.Word("type", s_types, isNeeded: true);
            if (type is { } known && item.Object("data", isNeeded: true) is { } content)
            {
                actions.Add(Read(s_types[known], content));
                _ = content.End();
            }
            _ = item.End();
        }
        bool isGrouped = false;
        if (call.Arguments.Object("properties") is { } properties)
        {
            isGrouped = properties.Word("completion-mode", s_completionModes) == 1;
            _ = properties.End();
        }
        return Begin(call, actions, isGrouped);
    }

    CommandAnswer Single(CommandCall call, string type) => Begin(call, [Read(type, call.Arguments)], false);

    CommandAnswer Begin(CommandCall call, List<PlanAction> actions, bool isGrouped)
    {
        if (call.Arguments.End() is { } error)
            return error;
        if (actions.Count > Plan.ActionsMax)
            return QmpError.Generic($"a transaction has at most {Plan.ActionsMax} actions, not {actions.Count}");
        new Plan(call, new PlanContext(turns, nodes, jobs, isGrouped, files.Patience), waiting, inbox, actions).Begin();
        return CommandAnswer.Later;
    }

    static PlanAction Read(string type, ArgumentReader arguments)
    {
        if (type == "abort")
            return new AbortAction();
        if (type == "blockdev-backup")
            return new BackupAction(BackupArguments.Read(arguments));
        string node = arguments.Text("node");
        if (type == "block-dirty-bitmap-merge")
            return new MergeAction(node, arguments.Text("target"), ReadSources(arguments));
        string name = arguments.Text("name");
        return type switch
        {
            "x-checkpoint-add" => new CheckpointAction(node, name),
            "block-dirty-bitmap-add" => new AddBitmapAction(
                node,
                name,
                arguments.UInt32("granularity"),
                arguments.Bool("persistent") ?? false,
                arguments.Bool("disabled") ?? false,
                arguments.OptionalText("x-since"),
                arguments.OptionalText("x-unfinished"),
                arguments.OptionalText("x-target")
            ),
            "block-dirty-bitmap-remove" => new RemoveBitmapAction(node, name),
            "block-dirty-bitmap-clear" => new ClearBitmapAction(node, name),
            _ => new EnableBitmapAction(node, name, type == "block-dirty-bitmap-enable"),
        };
    }

    static List<(string? Node, string Name)> ReadSources(ArgumentReader arguments)
    {
        List<(string?, string)> sources = [];
        foreach ((string? text, ArgumentReader? inside) in arguments.TextsOrObjects("bitmaps", "BlockDirtyBitmapOrStr"))
        {
            if (inside is not { } bitmap)
            {
                sources.Add((null, text!));
                continue;
            }
            string node = bitmap.Text("node");
            sources.Add((node, bitmap.Text("name")));
            _ = bitmap.End();
        }
        return sources;
    }
}
