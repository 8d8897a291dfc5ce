// The small run that the tests make: everything once, with assertions on work done, never on time. Peers
// that are missing are named and left out; those that are here run too, so that their drivers cannot rot.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Qmp;

namespace FastBackup.Bench.Throughput;

static class SmokeRun
{
    public static readonly BenchSettings Settings = new(null, 64 * Units.MiB, 1, false, false, false, IsSmoke: true);

    public static int Run(string? folder, CancellationToken cancel)
    {
        BenchSettings settings = Settings with { Folder = folder };
        using Workspace workspace = new(settings);
        foreach (string program in Campaign.MissingPrograms)
            Console.WriteLine($"{program} is not here: not driven");
        const ulong seed = 1;
        workspace.MakeSource(seed, cancel);
        Campaign campaign = new(settings, workspace, seed, Console.WriteLine);
        int failureCount = 0;
        foreach (TargetState state in Enum.GetValues<TargetState>())
            failureCount += CheckState(campaign.Run(state, cancel), settings.SizeBytes);
        // That each was equal was checked on the way, by an exception.
        int comparedWanted = 2 * (QemuStorageDaemon.IsPresent ? 2 : 1);
        failureCount += Check("targets compared", campaign.ComparedCount, comparedWanted, comparedWanted);
        List<(CopyRun Ours, CopyRun? Theirs)> fragmented = FragmentedRun.Rounds(workspace, settings, cancel);
        failureCount += Check("fragmented copies", fragmented.Count, 1, 1);
        foreach (MachineryRow row in OurCopy.RunMachinery(isSmoke: true, cancel))
        {
            string name = $"{row.Name}, {row.BufferBytes / Units.KiB} KiB:";
            failureCount += Check($"{name} bytes allocated", row.LoopManagedBytes, 0, 0);
            failureCount += Check($"{name} chunks", row.ChunkCount, 1, double.MaxValue);
        }
        Console.WriteLine(failureCount == 0 ? "smoke: all as it should be" : $"smoke: {failureCount} FAILED");
        return failureCount == 0 ? 0 : 1;
    }

    static int CheckState(StateResult result, ulong sizeBytes)
    {
        string state = Report.Name(result.State) + ":";
        CopyReport ours = result.OurReports.Single();
        int failureCount = 0;
        failureCount += Check($"{state} bytes written", ours.WrittenBytes, sizeBytes, sizeBytes);
        double managedMax = Limits.ManagedBytesMax;
        failureCount += Check(
            $"{state} bytes allocated by core",
            Limits.EngineBytes((ulong)ours.LoopManagedBytes),
            0,
            managedMax
        );
        failureCount += Check($"{state} minor faults during the job", ours.Job.MinorFaultCount, 0, Limits.FaultsMax);
        if (ours.EnterCount > 0) // worker threads where io_uring is refused
        {
            double entersPerChunk = (double)ours.EnterCount / ours.ReadCount;
            failureCount += Check($"{state} enter calls per chunk", entersPerChunk, 0, Limits.EntersPerChunkMax);
        }
        // Random data has no zeroes, so a chunk is one read and one write.
        failureCount += Check($"{state} writes per read", (double)ours.WriteCount / ours.ReadCount, 1, 1);
        double aboveMiB = ((double)ours.PeakResidentBytes - ours.PoolBytes) / Units.MiB;
        failureCount += Check($"{state} peak memory above the pool, MiB", aboveMiB, 0, 60);
        return failureCount;
    }

    /// <returns>1 when the value lies outside its bounds.</returns>
    static int Check(string what, double value, double atLeast, double atMost)
    {
        bool isFine = value >= atLeast && value <= atMost;
        string bounds = atLeast == atMost ? Report.Number(atMost, "F0") : $"at most {Report.Number(atMost, "F0")}";
        if (atMost == double.MaxValue)
            bounds = "at least " + Report.Number(atLeast, "F0");
        Console.WriteLine($"  {(isFine ? "ok    " : "FAILED")} {what}: {Report.Number(value, "0.##")} ({bounds})");
        return isFine ? 0 : 1;
    }
}
