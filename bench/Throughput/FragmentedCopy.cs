// QEMU's backup of what a dirty bitmap names: every second 64 KiB, marked by writes of a guest, fio by NBD.
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Bench.Throughput;

static class FragmentedCopy
{
    /// <summary>Of the bitmap, and of each fragment.</summary>
    public const ulong GranuleBytes = 64 * Units.KiB;

    /// <summary>How our child is told.</summary>
    public const string OurOption = "--fragmented-copy";

    const string JobId = "backup";
    const string Bitmap = "fragments";
    static readonly System.TimeSpan s_limit = System.TimeSpan.FromMinutes(10);

    /// <summary>Both are needed: one has the bitmap, the other writes.</summary>
    public static bool IsPresent => QemuStorageDaemon.IsPresent && FioCopy.IsPresent;

    /// <param name="plan">Its source is written to.</param>
    /// <param name="cancel">Ends it.</param>
    public static CopyRun RunQemu(CopyPlan plan, CancellationToken cancel)
    {
        string socket = plan.TargetPath + ".sock";
        string[] arguments =
        [
            .. QemuStorageDaemon.RawFile("source", plan.SourcePath, plan.IsDirect),
            .. QemuStorageDaemon.RawFile("target", plan.TargetPath, plan.IsDirect),
            .. (string[])["--nbd-server", $"addr.type=unix,addr.path={socket}"],
            .. (string[])["--export", "type=nbd,id=guest,node-name=source,name=disk,writable=on"],
        ];
        using QemuStorageDaemon daemon = new(arguments, cancel);
        using FlushedFile target = new(plan.TargetPath);
        daemon.Qmp.Command(
            "block-dirty-bitmap-add",
            new JsonObject
            {
                ["node"] = "source",
                ["name"] = Bitmap,
                ["granularity"] = GranuleBytes,
            }
        );
        Write(plan, socket, cancel);
        JsonObject job = new()
        {
            ["job-id"] = JobId,
            ["device"] = "source",
            ["target"] = "target",
            ["sync"] = "bitmap",
            ["bitmap"] = Bitmap,
            ["bitmap-mode"] = "never",
        };
        ProcessUse before = ProcessUse.Of(daemon.Process.Id);
        long start = Stopwatch.GetTimestamp();
        daemon.Qmp.Command("blockdev-backup", job);
        daemon.Qmp.WaitForJob(JobId);
        target.Flush();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        ProcessUse use = ProcessUse.Of(daemon.Process.Id) - before;
        ProcessUse whole = daemon.Quit(cancel);
        File.Delete(socket);
        return new CopyRun(QemuBackup.Name, plan.SizeBytes / 2, seconds, use, whole, 0);
    }

    /// <summary>Source: fio HOWTO, "rw=write:N": so many bytes are passed over after each request.</summary>
    static void Write(CopyPlan plan, string socket, CancellationToken cancel)
    {
        string size = GranuleBytes.ToString(CultureInfo.InvariantCulture);
        string[] arguments =
        [
            .. (string[])["--name=guest", "--ioengine=nbd", $"--uri=nbd+unix:///disk?socket={socket}"],
            .. (string[])[$"--rw=write:{size}", $"--bs={size}", "--iodepth=16", "--end_fsync=1"],
            string.Create(CultureInfo.InvariantCulture, $"--size={plan.SizeBytes}"),
            string.Create(CultureInfo.InvariantCulture, $"--io_size={plan.SizeBytes / 2}"),
        ];
        using RunningProgram guest = RunningProgram.Start(FioCopy.Program, arguments);
        _ = guest.WaitForSuccess(s_limit, cancel);
    }
}
