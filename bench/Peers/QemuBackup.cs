// QEMU's backup job: blockdev-backup, sync=full, raw file to raw file, with its own defaults.
// The job ends without a flush, so the target is flushed by us before the clock stops, as everybody's is.
using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Bench.Peers;

public static class QemuBackup
{
    public const string Name = "QEMU";
    const string JobId = "backup";

    public static CopyRun Run(CopyPlan plan, CancellationToken cancel)
    {
        string[] devices =
        [
            .. QemuStorageDaemon.RawFile("source", plan.SourcePath, plan.IsDirect),
            .. QemuStorageDaemon.RawFile("target", plan.TargetPath, plan.IsDirect),
        ];
        using QemuStorageDaemon daemon = new(devices, cancel);
        using FlushedFile target = new(plan.TargetPath);
        JsonObject arguments = new()
        {
            ["job-id"] = JobId,
            ["device"] = "source",
            ["target"] = "target",
            ["sync"] = "full",
        };
        ProcessUse before = ProcessUse.Of(daemon.Process.Id);
        long start = Stopwatch.GetTimestamp();
        daemon.Qmp.Command("blockdev-backup", arguments);
        daemon.Qmp.WaitForJob(JobId);
        target.Flush();
        double wallSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        ProcessUse job = ProcessUse.Of(daemon.Process.Id) - before;
        ulong peakBytes = ProcessUse.PeakResidentBytes(
            daemon.Process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)
        );
        ProcessUse whole = daemon.Quit(cancel);
        return new CopyRun(Name, plan.SizeBytes, wallSeconds, job, whole, peakBytes);
    }
}
