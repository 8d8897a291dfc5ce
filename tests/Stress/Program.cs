// Stress with real threads: guests write through a disk's filter while full backups of it run one after the
// other and snapshot readers read beside them. Each round takes a copy of the disk at T0, inside the same quiesced
// moment as the job's own, and compares target and snapshot reads with it.
//   dotnet run -c Release --project tests/Stress -- [--guests 6] [--readers 2] [--seconds 10] [--size 33554432]
//                                                   [--seed 1] [--cores N] [--disk memory|file] [--dir FOLDER] [--mode
// hook|device|mixed]
// Last line: rounds=N writes=N waited=N snapshotReads=N mismatches=N; exit 1 when anything differs.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Runtime;

namespace FastBackup.Tests.Stress;

static class Program
{
    static int Main(string[] arguments)
    {
        StressOptions options = StressOptions.Parse(arguments);
        if (options.Cores > 0 && OperatingSystem.IsLinux()) // before any thread is started: they inherit it
            Process.GetCurrentProcess().ProcessorAffinity = (1 << options.Cores) - 1;
        Check.That(
            Engine
                .TryOpen(
                    new EngineOptions
                    {
                        BufferBytes = 8 * Units.MiB,
                        ChunkBytes = 256 * 1024,
                        OnStopped = Console.Error.WriteLine,
                    },
                    out Engine? engine
                )
                .IsNone
        );
        using Engine opened = engine!;
        Reactor reactor = opened.Reactor;
        StressDisk source = StressDisk.Open(reactor, "source", options.SizeBytes, options.Folder);
        StressDisk target = StressDisk.Open(reactor, "target", options.SizeBytes, options.Folder);
        source.MarkAllocated();
        Disk disk = new(reactor, source.Device, "disk", slotCount: 64);
        Guest[] guests = new Guest[options.GuestThreads];
        for (int i = 0; i < guests.Length; i++)
            guests[i] = new Guest(
                disk,
                source,
                options.Seed * 1000 + (ulong)i,
                options.Mode == "mixed" ? i % 2 == 0 : options.Mode == "hook"
            );
        foreach (Guest guest in guests)
            guest.Start();
        Tally tally = new();
        Stopwatch watch = Stopwatch.StartNew();
        for (ulong round = 0; round < 2 || watch.Elapsed.TotalSeconds < options.Seconds; round++)
        {
            using Round one = new(opened, disk, source, target, options, round);
            one.Run(tally);
        }
        foreach (Guest guest in guests)
            guest.RequestStop();
        foreach (Guest guest in guests)
        {
            guest.Join();
            tally.Writes += guest.WriteCount;
            tally.Waited += guest.PendingCount;
            guest.Dispose();
        }
        reactor.Invoke(() =>
        {
            disk.Dispose();
            source.Dispose();
            target.Dispose();
        });
        Console.WriteLine(tally);
        bool isWork = tally.Writes > 0 && tally.Waited > 0 && (options.ReaderThreads == 0 || tally.SnapshotReads > 0);
        return tally.Mismatches == 0 && isWork ? 0 : 1;
    }
}
