// query-named-block-nodes: the host's disks with their bitmaps, and what blockdev-add opened.
using System.Collections.Generic;
using FastBackup.BlockIo;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Devices;
using FastBackup.Native.Disks;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Commands;

static class NodeQuery
{
    static readonly JsonValue s_zero = JsonValue.Of(0L);
    static readonly JsonValue s_false = JsonValue.Of(false);

    public static CommandAnswer Run(CommandCall call)
    {
        _ = call.Arguments.Bool("flat");
        if (call.Arguments.End() is { } error)
            return error;
        return call.Monitor.OnReactor(() => Describe(call), mayBeStopped: true);
    }

    static JsonValue Describe(CommandCall call)
    {
        List<JsonValue> nodes = [];
        foreach (DiskObject disk in call.Engine.Disks)
            if (!disk.IsOfMonitor)
                nodes.Add(OfDisk(disk));
        foreach (MonitorNode node in call.Monitor.Nodes.Nodes)
            nodes.Add(OfNode(node));
        return JsonValue.Of(nodes);
    }

    static JsonValue OfDisk(DiskObject disk)
    {
        IBlockDevice device = disk.Device.Device;
        bool isDirect = device is FileDevice { IsDirect: true };
        return Of(disk.Core.Name, "raw", device.Name, device.Limits.IsReadOnly, isDirect, disk.Device, disk);
    }

    static JsonValue OfNode(MonitorNode node) =>
        Of(node.Name, node.Driver, node.FileName, node.IsReadOnly, node.IsDirect, node.Device, node.Disk);

    static JsonValue Of(
        string name,
        string driver,
        string file,
        bool isReadOnly,
        bool isDirect,
        DeviceObject device,
        DiskObject? disk
    ) =>
        JsonValue.Object(
            ("node-name", JsonValue.Of(name)),
            ("drv", JsonValue.Of(driver)),
            ("file", JsonValue.Of(file)),
            ("ro", JsonValue.Of(isReadOnly)),
            (
                "image",
                JsonValue.Object(
                    ("filename", JsonValue.Of(file)),
                    ("format", JsonValue.Of(driver)),
                    ("virtual-size", JsonValue.Of(device.Device.Limits.CapacityBytes)),
                    ("dirty-flag", s_false)
                )
            ),
            (
                "cache",
                JsonValue.Object(
                    ("writeback", JsonValue.Of(true)),
                    ("direct", JsonValue.Of(isDirect)),
                    ("no-flush", s_false)
                )
            ),
            ("dirty-bitmaps", disk is { Bitmaps.Count: > 0 } ? BitmapsOf(disk) : null),
            ("encrypted", s_false),
            ("detect_zeroes", JsonValue.Of("off")),
            ("backing_file_depth", s_zero),
            ("write_threshold", s_zero),
            ("bps", s_zero),
            ("bps_rd", s_zero),
            ("bps_wr", s_zero),
            ("iops", s_zero),
            ("iops_rd", s_zero),
            ("iops_wr", s_zero)
        );

    static JsonValue BitmapsOf(DiskObject disk) =>
        JsonValue.Of(
            disk.Bitmaps.ConvertAll(bitmap =>
                JsonValue.Object(
                    ("name", JsonValue.Of(bitmap.Dirty!.Name)),
                    ("recording", JsonValue.Of(bitmap.Dirty.IsEnabled)),
                    ("persistent", s_false),
                    ("busy", JsonValue.Of(bitmap.Dirty.IsBusy)),
                    ("granularity", JsonValue.Of(bitmap.Dirty.GranularityBytes)),
                    ("count", JsonValue.Of(bitmap.Bits.CountBytes()))
                )
            )
        );
}
