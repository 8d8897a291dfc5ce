// Commands that change disks: each is a plan of one action, a transaction one of several. Arguments are read here, in
// the order of QEMU's schema; what the actions do is in Plans.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Native.Monitor.Plans;

namespace FastBackup.Native.Monitor.Commands;

static class TransactionCommands
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
    ];

    static readonly string[] s_completionModes = ["individual", "grouped"];

    public static CommandAnswer Backup(CommandCall call) => Single(call, "blockdev-backup");

    public static CommandAnswer BitmapAdd(CommandCall call) => Single(call, "block-dirty-bitmap-add");

    public static CommandAnswer BitmapRemove(CommandCall call) => Single(call, "block-dirty-bitmap-remove");

    public static CommandAnswer BitmapClear(CommandCall call) => Single(call, "block-dirty-bitmap-clear");

    public static CommandAnswer BitmapEnable(CommandCall call) => Single(call, "block-dirty-bitmap-enable");

    public static CommandAnswer BitmapDisable(CommandCall call) => Single(call, "block-dirty-bitmap-disable");

    public static CommandAnswer BitmapMerge(CommandCall call) => Single(call, "block-dirty-bitmap-merge");

    public static CommandAnswer Group(CommandCall call)
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

    static CommandAnswer Single(CommandCall call, string type) => Begin(call, [Read(type, call.Arguments)], false);

    static CommandAnswer Begin(CommandCall call, List<PlanAction> actions, bool isGrouped)
    {
        if (call.Arguments.End() is { } error)
            return error;
        call.Monitor.Begin(new Plan(call, actions, isGrouped));
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
            "block-dirty-bitmap-add" => new AddBitmapAction(
                node,
                name,
                arguments.UInt32("granularity"),
                arguments.Bool("persistent") ?? false,
                arguments.Bool("disabled") ?? false
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
            if (inside == null)
            {
                sources.Add((null, text!));
                continue;
            }
            string node = inside.Text("node");
            sources.Add((node, inside.Text("name")));
            _ = inside.End();
        }
        return sources;
    }
}
