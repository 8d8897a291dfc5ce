// A node as the queries tell of it. Taken on the reactor's thread, which guests wait for: no JSON yet, and since there
// may be thousands of bitmaps, each of which has 32 counters in as many lines of memory (1 to 3 us), so many a turn.
// What is told of a bitmap is true of its turn; one that is removed between two turns is left out.
using System;
using System.Collections.Generic;
using FastBackup.Devices;
using FastBackup.Native.Objects;
using FastBackup.Repositories;

namespace FastBackup.Native.Monitor.Nodes;

sealed record NodePicture(string Name, string Driver, string FileName, bool IsReadOnly, bool IsDirect, ulong SizeBytes)
{
    public readonly record struct Bitmap(string Name, bool IsEnabled, bool IsBusy, ulong GranularityBytes, ulong Bytes)
    {
        public bool IsPersistent { get; init; }

        /// <summary>Persistent, and its tracker has failed.</summary>
        public bool IsInconsistent { get; init; }
    }

    const int BitmapsOfTurn = 128; // 0.1 to 0.4 ms

    /// <summary>Of a target in a repository: the point, once it is made; null: there is none.</summary>
    public string? Point { get; private init; }

    /// <summary>Of a target in a repository: what last went wrong; null: nothing.</summary>
    public string? Words { get; private init; }

    BitmapObject[] _toCome = [];
    int _next;

    public List<Bitmap> Bitmaps { get; } = [];

    /// <summary>One of the host's disks. On the reactor's thread.</summary>
    public static NodePicture Of(DiskObject disk)
    {
        IBlockDevice device = disk.Device.Device;
        bool isDirect = device is FileDevice { IsDirect: true };
        BlockLimits limits = device.Limits;
        return new NodePicture(
            disk.Core.Name,
            "raw",
            device.Name,
            limits.IsReadOnly,
            isDirect,
            limits.CapacityBytes
        ).With(disk);
    }

    /// <summary>What blockdev-add opened. On the reactor's thread.</summary>
    public static NodePicture Of(MonitorNode node) =>
        new NodePicture(
            node.Name,
            node.Driver,
            node.FileName,
            node.IsReadOnly,
            node.IsDirect,
            node.Device.Device.Limits.CapacityBytes
        )
        {
            Point = (node.Device.Device as PointTarget)?.Point,
            Words = (node.Device.Device as PointTarget)?.Words,
        }.With(node.Disk);

    NodePicture With(DiskObject? disk)
    {
        _toCome = [.. disk?.Bitmaps ?? []];
        return this;
    }

    public bool IsWhole => _next == _toCome.Length;

    /// <summary>Takes the next bitmaps. On the reactor's thread, one call a turn.</summary>
    /// <returns>True when none is left.</returns>
    public bool TakeBitmaps()
    {
        int end = Math.Min(_toCome.Length, _next + BitmapsOfTurn);
        for (; _next < end; _next++)
            if (_toCome[_next] is { IsOfDisk: true, Dirty: { } dirty })
                Bitmaps.Add(
                    new Bitmap(
                        dirty.Name,
                        dirty.IsEnabled,
                        dirty.IsBusy,
                        dirty.GranularityBytes,
                        dirty.Bits.CountBytes()
                    )
                    {
                        IsPersistent = _toCome[_next].IsPersistent || _toCome[_next].IsInImage,
                        IsInconsistent = _toCome[_next].IsPersistent && PersistentBitmaps.AreLost(_toCome[_next]),
                    }
                );
        return IsWhole;
    }
}
