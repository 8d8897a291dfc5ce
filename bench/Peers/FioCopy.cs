// The ceiling: what the disk gives when one fio job reads the source and another writes the target at the
// same time, with registered buffers and files and nothing in between. No copy can be faster than the
// slower of the two for long; one that waits for reads before it writes has a little less.
//
// fio's buffers are made of huge pages where the kernel grants them, as our pool is. It matters: 1 MiB in
// 4 KiB pages are 256 segments, a virtio disk takes 254 at once, so that each request is split in two; in a
// huge page it is one segment, and neighbours are merged up to the disk's largest request. Measured on such
// a disk: 2050 requests a GiB and 0.95 s without, 550 and 0.62 s with.
//
//
// CPU and faults are those of fio's whole process less those of a fio that copies one block, which is its
// start and end. fio's own figures (usr_cpu, sys_cpu, minf) are of its job's thread alone, getrusage with
// RUSAGE_THREAD, and so leave out what the kernel's io_uring workers do: on tmpfs that is all the copying.
// Source: fio HOWTO, "JSON output" and "end_fsync"; getrusage(2).
using System;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Base;
using FastBackup.Tests;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Peers;

public static class FioCopy
{
    public const string Name = "ceiling";
    public const string Program = "fio";

    // glibc's malloc asks for huge pages then; other C libraries ignore it.
    static readonly (string, string) HugePages = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");

    static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(20);

    public static bool IsPresent => SystemPrograms.Find(Program) != null;

    /// <summary>What fio uses to start, copy next to nothing, and end.</summary>
    public static ProcessUse MeasureIdle(CopyPlan plan, FioShape shape, CancellationToken cancel)
    {
        using RunningProgram fio = Start(plan with { SizeBytes = shape.BlockBytes }, shape);
        return fio.WaitForSuccess(TimeLimit, cancel);
    }

    /// <param name="plan">What to copy.</param>
    /// <param name="shape">How.</param>
    /// <param name="idle">As <see cref="MeasureIdle"/> found.</param>
    /// <param name="cancel">Ends it.</param>
    public static CopyRun Run(CopyPlan plan, FioShape shape, ProcessUse idle, CancellationToken cancel)
    {
        using RunningProgram fio = Start(plan, shape);
        ProcessUse whole = fio.WaitForSuccess(TimeLimit, cancel);
        string output = fio.Output;
        int start = output.IndexOf('{', StringComparison.Ordinal); // warnings may come first
        if (start < 0)
            throw new PeerException("fio printed no JSON: " + output);
        double wallSeconds = 0;
        foreach (JsonNode? job in JsonNode.Parse(output[start..])!["jobs"]!.AsArray())
        {
            string way = (string)job!["jobname"]! == "reader" ? "read" : "write";
            if ((int)job["error"]! != 0 || (ulong)job[way]!["io_bytes"]! != plan.SizeBytes)
                throw new PeerException($"fio's {way} job did not do all of its work");
            wallSeconds = Math.Max(wallSeconds, (double)job["job_runtime"]! / 1000);
            wallSeconds = Math.Max(wallSeconds, (double)job[way]!["runtime"]! / 1000);
        }
        return new CopyRun(Name, plan.SizeBytes, wallSeconds, (whole - idle).AtLeastZero(), whole, 0);
    }

    static RunningProgram Start(CopyPlan plan, FioShape shape) =>
        RunningProgram.Start(Program, Arguments(plan, shape), HugePages);

    static string[] Arguments(CopyPlan plan, FioShape shape) =>
        [
            "--output-format=json",
            "--ioengine=io_uring",
            plan.IsDirect ? "--direct=1" : "--direct=0",
            "--fixedbufs=1",
            "--registerfiles=1",
            string.Create(CultureInfo.InvariantCulture, $"--bs={shape.BlockBytes}"),
            string.Create(CultureInfo.InvariantCulture, $"--iodepth={shape.Depth}"),
            string.Create(CultureInfo.InvariantCulture, $"--size={plan.SizeBytes}"),
            "--fallocate=none",
            "--invalidate=0",
            "--scramble_buffers=0",
            "--name=reader",
            "--filename=" + Escape(plan.SourcePath),
            "--rw=read",
            "--name=writer",
            "--filename=" + Escape(plan.TargetPath),
            "--rw=write",
            "--end_fsync=1",
        ];

    /// <summary>In a file name a colon separates two names.</summary>
    static string Escape(string path) => path.Replace(":", "\\:", StringComparison.Ordinal);
}
