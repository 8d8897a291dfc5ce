// How the cost of a backup grows with the number of disks that are backed up at the same time, on one engine and on
// one for each processor. The work is the same in every row: the same bytes, cut into more disks.
//
//   null   disks without content: the engine's own cost
//   file   files in a folder, old targets: with all that the kernel does
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Runtime;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Growth;

/// <param name="folder">For the files; has room for twice their bytes.</param>
/// <param name="passCount">At least 1; the fastest of each figure counts.</param>
/// <param name="cancel">Ends it between two rows.</param>
sealed class CountGrowth(string folder, int passCount, CancellationToken cancel)
{
    public static readonly int[] Counts = [1, 2, 4, 8, 16];

    readonly List<CountRow> _rows = [];

    /// <param name="counts">Of disks.</param>
    /// <param name="nullBytes">Of all disks without content together.</param>
    /// <param name="fileBytes">Of all files together; both a multiple of 16 MiB.</param>
    public List<CountRow> Run(int[] counts, ulong nullBytes, ulong fileBytes)
    {
        foreach (int count in counts)
        foreach (int engineCount in new[] { 1, Math.Min(count, Environment.ProcessorCount) }.Distinct())
        {
            cancel.ThrowIfCancellationRequested();
            ulong each = nullBytes / (ulong)count;
            Measure("null", count, engineCount, each, (reactor, _, _) => new NullDevice(reactor, "null", each));
        }
        foreach (int count in counts)
        foreach (int engineCount in new[] { 1, Math.Min(count, Environment.ProcessorCount) }.Distinct())
        {
            cancel.ThrowIfCancellationRequested();
            ulong each = fileBytes / (ulong)count;
            MakeFiles(count, each);
            Measure("file", count, engineCount, each, OpenFile);
            RequireEqual(count, each);
        }
        return _rows;
    }

    void Measure(string kind, int count, int engines, ulong each, Func<Reactor, int, bool, IBlockDevice> open)
    {
        using DiskGroup group = new(count, engines, open);
        List<(double Seconds, double CpuSeconds)> passes = [];
        for (int pass = 0; pass <= passCount; pass++)
            passes.Add(group.Run());
        passes.RemoveAt(0); // code is compiled, files are allocated
        double bytes = each * (double)count;
        _rows.Add(
            new CountRow(
                kind,
                count,
                engines,
                bytes / Units.MiB / passes.Min(pass => pass.Seconds),
                passes.Min(pass => pass.CpuSeconds) / (bytes / Units.GiB)
            )
        );
    }

    /// <summary>Files of that size, old and allocated, and no others.</summary>
    void MakeFiles(int count, ulong eachBytes)
    {
        foreach (string path in Directory.GetFiles(folder))
            File.Delete(path);
        bool isDirect = DiskContent.TakesDirect(folder);
        for (int i = 0; i < count; i++)
            foreach (bool isSource in (bool[])[true, false])
                DiskContent.Fill(PathOf(i, isSource), eachBytes, (ulong)i + (isSource ? 1ul : 1001), isDirect, cancel);
        DiskContent.Settle(50);
    }

    void RequireEqual(int count, ulong eachBytes)
    {
        bool isDirect = DiskContent.TakesDirect(folder);
        for (int i = 0; i < count; i++)
            if (!DiskContent.AreEqual(PathOf(i, true), PathOf(i, false), eachBytes, isDirect, cancel))
                throw new PeerException($"the copy of disk {i} of {count} differs from it");
    }

    string PathOf(int index, bool isSource) => Path.Combine(folder, $"{(isSource ? "source" : "target")}{index}");

    IBlockDevice OpenFile(Reactor reactor, int index, bool isSource)
    {
        FileOpenOptions options = new() { Path = PathOf(index, isSource), IsReadOnly = isSource };
        OpenRefusal refusal = DeviceOpener.TryOpen(reactor, options, out FileDevice? device);
        return refusal.IsNone ? device! : throw new PeerException(refusal.Sentence);
    }
}
