// The small run that the tests make: everything once, with assertions on work done, never on time. Our backup is
// slowed down so that the guest certainly writes while it runs; since it began before the guest's first write, the
// target must be the disk as it was made, and the disk must not.
using System;
using System.IO;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Jobs;
using FastBackup.Tests.Qmp;

namespace FastBackup.Bench.GuestLatency;

static class SmokeRun
{
    const ulong SizeBytes = 64 * Units.MiB;
    const ulong Speed = 32 * Units.MiB;
    const ulong AbsorbBytes = 4 * Units.MiB;
    const double Seconds = 0.5;

    public static int Run(string? folder, CancellationToken cancel)
    {
        using Workspace workspace = new(folder, SizeBytes);
        workspace.MakeSource(1, cancel);
        int failureCount = 0;
        if (FioGuest.IsPresent)
            failureCount += RunOurs(workspace, 0, cancel) + RunOurs(workspace, AbsorbBytes, cancel);
        else
            Console.WriteLine("fio is not here: no guest");
        if (FioGuest.IsPresent && QemuStorageDaemon.IsPresent)
            failureCount += RunQemu(workspace, cancel);
        Console.WriteLine(failureCount == 0 ? "smoke: all as it should be" : $"smoke: {failureCount} FAILED");
        return failureCount == 0 ? 0 : 1;
    }

    static int RunOurs(Workspace workspace, ulong absorbBytes, CancellationToken cancel)
    {
        string before = Path.Combine(workspace.Folder, "before");
        File.Copy(workspace.SourcePath, before);
        HostPlan plan = workspace.Prepare() with { AbsorbBytes = absorbBytes };
        JobProgress progress;
        GuestFigures guest;
        using (OurHost host = new(plan))
        {
            host.StartBackup(new BackupOptions { SpeedBytesPerSecond = Speed });
            guest = GuestMeasurement.Quiet(host, GuestLoad.All[1], SizeBytes, Seconds, cancel);
            progress = host.WaitForEnd(cancel);
        }
        int failureCount = 0;
        failureCount += Check($"the guest wrote ({guest.Count})", guest.Count > 0);
        failureCount += Check($"the guest had no errors ({guest.ErrorCount})", guest.ErrorCount == 0);
        failureCount += Check($"its latencies were measured (p50 {guest.P50Us:F0} us)", guest.P50Us > 0);
        failureCount += Check($"the job succeeded ({progress.Fault})", progress.IsSuccess);
        failureCount += Check(
            $"guests' writes made copies ({progress.CopyBeforeWriteBytes} bytes)",
            progress.CopyBeforeWriteBytes > 0
        );
        bool isPointInTime = AreEqual(before, workspace.TargetPath, workspace, cancel);
        failureCount += Check("the target is the disk as it was when the backup began", isPointInTime);
        bool isUnchanged = AreEqual(before, workspace.SourcePath, workspace, cancel);
        failureCount += Check("the guest's writes are on the disk", !isUnchanged);
        File.Delete(before);
        return failureCount;
    }

    static int RunQemu(Workspace workspace, CancellationToken cancel)
    {
        using QemuHost host = new(workspace.Prepare(), QemuTuning.Frontier[^1], cancel);
        (GuestFigures guest, BackupPace pace) = GuestMeasurement.Both(
            host,
            GuestLoad.All[1],
            SizeBytes,
            Seconds,
            cancel
        );
        int failureCount = Check(
            $"QEMU: the guest wrote without errors ({guest.Count})",
            guest is { Count: > 0, ErrorCount: 0 }
        );
        return failureCount + Check($"QEMU: the backup went on ({pace.DoneBytes} bytes)", pace.DoneBytes > 0);
    }

    static bool AreEqual(string left, string right, Workspace workspace, CancellationToken cancel) =>
        DiskContent.AreEqual(left, right, SizeBytes, workspace.IsDirect, cancel);

    /// <returns>1 when it is not so.</returns>
    static int Check(string what, bool isRight)
    {
        Console.WriteLine($"  {(isRight ? "ok    " : "FAILED")} {what}");
        return isRight ? 0 : 1;
    }
}
