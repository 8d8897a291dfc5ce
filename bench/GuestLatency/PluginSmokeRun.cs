// The small run of the plugin: a guest beside its backup, with assertions on work done, never on time. The backup is
// slowed down so that the guest certainly writes while it runs.
using System;
using System.IO;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

static class PluginSmokeRun
{
    const ulong SizeBytes = 64 * Units.MiB;
    const ulong Speed = 32 * Units.MiB;
    const double Seconds = 0.5;

    static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(60);

    public static int Run(string? folder, CancellationToken cancel)
    {
        foreach (string program in (string[])[FioGuest.Program, PluginHost.Program, "nbdinfo", "make", "gcc"])
            if (SystemPrograms.Find(program) == null)
            {
                Console.WriteLine($"{program} is not here: nothing is tested");
                return Environment.GetEnvironmentVariable("CI") == "true" ? 1 : 0;
            }
        using Workspace workspace = new(folder, SizeBytes);
        workspace.MakeSource(1, cancel);
        string before = Path.Combine(workspace.Folder, "before");
        File.Copy(workspace.SourcePath, before);
        GuestFigures guest;
        using (PluginHost host = new(workspace.Prepare(), cancel, Speed))
        {
            host.StartBackup(cancel);
            guest = GuestMeasurement.Quiet(host, GuestLoad.All[1], SizeBytes, Seconds, cancel);
            DateTime limit = DateTime.UtcNow + EndLimit;
            while (!host.HasCopied() && DateTime.UtcNow < limit)
                cancel.WaitHandle.WaitOne(10);
        }
        bool isRight = Check($"the guest wrote without errors ({guest.Count})", guest is { Count: > 0, ErrorCount: 0 });
        isRight &= Check($"its latencies were measured (p50 {guest.P50Us:F0} us)", guest.P50Us > 0);
        bool isWhole = File.Exists(workspace.TargetPath);
        isRight &= Check("the backup is whole", isWhole);
        isRight &= Check(
            "it is the disk as it was when the backup began",
            isWhole && DiskContent.AreEqual(before, workspace.TargetPath, SizeBytes, workspace.IsDirect, cancel)
        );
        isRight &= Check(
            "the guest's writes are on the disk",
            !DiskContent.AreEqual(before, workspace.SourcePath, SizeBytes, workspace.IsDirect, cancel)
        );
        File.Delete(before);
        return isRight ? 0 : 1;
    }

    static bool Check(string what, bool isRight)
    {
        Console.WriteLine($"  {(isRight ? "ok    " : "FAILED")} {what}");
        return isRight;
    }
}
