// What guests and readers do to a disk around a point in time, made from a seed: first the disk gets content, then the
// point in time is taken with nothing under way, then guests go on while the disk as it was is read or backed up.
// Requests have any offset and length; many hit the same few clusters, their edges and the end of the disk.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Tests.Nbd;

namespace FastBackup.Tests.Hosts.Traces;

/// <param name="Seed">Makes the same trace again.</param>
/// <param name="SizeBytes">Of the disk.</param>
/// <param name="IsBackup">A full backup runs after the point in time; else the disk as it was is read.</param>
/// <param name="Before">Until the point in time; no views.</param>
/// <param name="After">From the point in time on.</param>
sealed record Trace(ulong Seed, int SizeBytes, bool IsBackup, TraceBatch[] Before, TraceBatch[] After)
{
    const int LiveMax = 8;
    const int ViewsMax = 4;
    const ulong ClusterBytes = 64 << 10;
    const int TryMax = 20;

    // Sectors only, for QEMU rounds the end of a disk up to one. Small ones, for each trace reads them whole.
    static readonly int[] Sizes = [(1 << 20) + 512, 4 << 20, (3 << 20) + 67 * 512, (5 << 20) + 4096, 12 << 20];

    public static Trace Make(ulong seed)
    {
        Prng prng = new(seed);
        int sizeBytes = Sizes[prng.Below((ulong)Sizes.Length)];
        bool isBackup = prng.Chance(1, 3);
        List<TraceBatch> before = [Clear(sizeBytes)];
        for (ulong left = prng.Between(3, 8); left > 0; left--)
            before.Add(MakeBatch(prng, sizeBytes, isMostlyWrites: true, viewsMax: 0));
        List<TraceBatch> after = [];
        for (ulong left = prng.Between(5, 20); left > 0; left--)
            after.Add(MakeBatch(prng, sizeBytes, isMostlyWrites: false, isBackup ? 0 : ViewsMax));
        return new Trace(seed, sizeBytes, isBackup, [.. before], [.. after]);
    }

    /// <summary>Its shape, for the message of a failure.</summary>
    public string Describe() =>
        $"{SizeBytes} bytes, {Before.Length} batches, {(IsBackup ? "backup" : "view")}, {After.Length} batches";

    static TraceBatch Clear(int sizeBytes) =>
        new([new TraceRequest(NbdWire.CommandWriteZeroes, 0, 0, (uint)sizeBytes, 0)], []);

    static TraceBatch MakeBatch(Prng prng, int sizeBytes, bool isMostlyWrites, int viewsMax)
    {
        List<TraceRequest> live = [];
        for (ulong left = prng.Between(1, LiveMax); left > 0; left--)
        {
            TraceRequest request = MakeRequest(prng, sizeBytes, isMostlyWrites);
            for (int tries = 0; live.Exists(request.Overlaps) && tries < TryMax; tries++)
                request = MakeRequest(prng, sizeBytes, isMostlyWrites);
            if (!live.Exists(request.Overlaps))
                live.Add(request);
        }
        TraceRequest[] views = [.. Enumerable.Range(0, (int)prng.Below((ulong)viewsMax + 1)).Select(_ => MakeView())];
        return new TraceBatch([.. live], views);

        TraceRequest MakeView()
        {
            (ulong offset, uint length) = MakeRange(prng, sizeBytes);
            return new TraceRequest(NbdWire.CommandRead, 0, offset, length, 0);
        }
    }

    static TraceRequest MakeRequest(Prng prng, int sizeBytes, bool isMostlyWrites)
    {
        ulong pick = prng.Below(100);
        ushort command = pick switch
        {
            < 45 => NbdWire.CommandWrite,
            < 60 => NbdWire.CommandWriteZeroes,
            < 72 => NbdWire.CommandTrim,
            < 78 => NbdWire.CommandFlush,
            _ when isMostlyWrites => NbdWire.CommandWrite,
            _ => NbdWire.CommandRead,
        };
        if (command == NbdWire.CommandFlush)
            return new TraceRequest(command, 0, 0, 0, 0);
        (ulong offset, uint length) = MakeRange(prng, sizeBytes);
        bool isUntouched = command is NbdWire.CommandRead;
        ushort flags = !isUntouched && prng.Chance(1, 10) ? NbdWire.FlagFua : (ushort)0;
        if (command == NbdWire.CommandWriteZeroes && prng.Chance(1, 3))
            flags |= NbdWire.FlagNoHole;
        ulong content = prng.Chance(1, 8) ? 0 : prng.NextULong() | 1;
        return new TraceRequest(command, flags, offset, length, content);
    }

    /// <summary>A range of the disk, not empty.</summary>
    static (ulong OffsetBytes, uint LengthBytes) MakeRange(Prng prng, int sizeBytes)
    {
        ulong size = (ulong)sizeBytes;
        ulong unit = prng.Below(4) switch
        {
            0 => 1,
            1 => 512,
            2 => 4096,
            _ => ClusterBytes,
        };
        ulong lengthMax = prng.Chance(1, 6) ? 1 << 20 : 2 * ClusterBytes;
        ulong length = Math.Max(1, prng.Below(Math.Min(lengthMax, size)) / unit) * unit;
        // Half of all ranges begin in the same sixteenth of the disk.
        ulong offset = prng.Below(prng.Chance(1, 2) ? Math.Max(size / 16, 2 * ClusterBytes) : size) / unit * unit;
        if (prng.Chance(1, 20))
            offset = size - Math.Min(length, size);
        return (offset, (uint)Math.Min(length, size - offset));
    }
}
