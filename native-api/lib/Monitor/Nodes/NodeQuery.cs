// query-named-block-nodes: the host's disks with their bitmaps, and what blockdev-add opened. query-block: the disks
// alone, as the drives of a machine.
// Source: QEMU 7.2 qapi/block-core.json, BlockDeviceInfo and BlockInfo; block/qapi.c.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Native.Handles;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Nodes;

/// <summary>Threads: the monitor's.</summary>
sealed class NodeQuery(MonitorTurns turns, NodeTable nodes)
{
    static readonly JsonValue s_zero = JsonValue.Of(0L);
    static readonly JsonValue s_false = JsonValue.Of(false);

    public CommandAnswer Nodes(CommandCall call)
    {
        _ = call.Arguments.Bool("flat");
        return Query(call, withNodes: true, Node);
    }

    public CommandAnswer Drives(CommandCall call) => Query(call, withNodes: false, Drive);

    CommandAnswer Query(CommandCall call, bool withNodes, Converter<NodePicture, JsonValue> describe)
    {
        if (call.Arguments.End() is { } error)
            return error;
        List<NodePicture> pictures = [];
        CommandAnswer answer = turns.OnReactor(
            () =>
            {
                foreach (DiskObject disk in turns.Engine.Disks.OfType<DiskObject>())
                    if (!disk.IsOfMonitor)
                        pictures.Add(NodePicture.Of(disk));
                if (withNodes)
                    foreach (MonitorNode node in nodes.Nodes)
                        pictures.Add(NodePicture.Of(node));
                return CommandAnswer.Done;
            },
            mayBeStopped: true
        );
        foreach (NodePicture picture in pictures)
            for (bool isWhole = picture.IsWhole; !isWhole && answer.Error == null; ShortPauses.Step())
                answer = turns.OnReactor(
                    () =>
                    {
                        isWhole = picture.TakeBitmaps();
                        return CommandAnswer.Done;
                    },
                    mayBeStopped: true
                );
        return answer.Error != null ? answer : JsonValue.Of(pictures.ConvertAll(describe));
    }

    static JsonValue Drive(NodePicture disk) =>
        JsonValue.Object(
            ("device", JsonValue.Of(disk.Name)),
            ("locked", s_false),
            ("removable", s_false),
            ("inserted", Node(disk)),
            ("type", JsonValue.Of("unknown"))
        );

    static JsonValue Node(NodePicture node) =>
        JsonValue.Object(
            ("node-name", JsonValue.Of(node.Name)),
            ("drv", JsonValue.Of(node.Driver)),
            ("file", JsonValue.Of(node.FileName)),
            ("ro", JsonValue.Of(node.IsReadOnly)),
            (
                "image",
                JsonValue.Object(
                    ("filename", JsonValue.Of(node.FileName)),
                    ("format", JsonValue.Of(node.Driver)),
                    ("virtual-size", JsonValue.Of(node.SizeBytes)),
                    ("dirty-flag", s_false)
                )
            ),
            (
                "cache",
                JsonValue.Object(
                    ("writeback", JsonValue.Of(true)),
                    ("direct", JsonValue.Of(node.IsDirect)),
                    ("no-flush", s_false)
                )
            ),
            ("dirty-bitmaps", node.Bitmaps.Count > 0 ? JsonValue.Of(node.Bitmaps.ConvertAll(Bitmap)) : null),
            ("encrypted", s_false),
            ("detect_zeroes", JsonValue.Of("off")),
            ("backing_file_depth", s_zero),
            ("write_threshold", s_zero),
            ("bps", s_zero),
            ("bps_rd", s_zero),
            ("bps_wr", s_zero),
            ("iops", s_zero),
            ("iops_rd", s_zero),
            ("iops_wr", s_zero),
            ("x-point", node.Point == null ? null : JsonValue.Of(node.Point)),
            ("x-words", node.Words == null ? null : JsonValue.Of(node.Words))
        );

    static JsonValue Bitmap(NodePicture.Bitmap bitmap)
    {
        ShortPauses.Step();
        return JsonValue.Object(
            ("name", JsonValue.Of(bitmap.Name)),
            ("recording", JsonValue.Of(bitmap.IsEnabled)),
            ("persistent", JsonValue.Of(bitmap.IsPersistent)),
            ("inconsistent", bitmap.IsInconsistent ? JsonValue.Of(true) : null),
            ("busy", JsonValue.Of(bitmap.IsBusy)),
            ("granularity", JsonValue.Of(bitmap.GranularityBytes)),
            ("count", JsonValue.Of(bitmap.Bytes))
        );
    }
}
