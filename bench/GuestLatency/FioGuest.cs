// The guest: fio's nbd engine on a unix socket, mostly 4 KiB random writes over the whole disk. It logs the latency of
// every request with the time of day, so that the figures can be those of the very time in which a backup ran,
// also when the backup ends before the guest; fio's own percentiles would mix in the quiet rest.
// Source: fio HOWTO, "nbd" I/O engine, write_lat_log, log_unix_epoch; completion latencies, nanoseconds.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: one.</summary>
sealed class FioGuest : IDisposable
{
    public const string Program = "fio";
    const string LogName = "guest";
    const ulong BlockBytes = 4096;
    const int ExitInterrupted = 128; // what fio says after RequestEnd, at times

    static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(60);

    readonly RunningProgram _fio;
    readonly DirectoryInfo _folder;

    /// <param name="socketPath">Of an NBD server whose export is called disk.</param>
    /// <param name="load">How hard it writes.</param>
    /// <param name="sizeBytes">Of the disk.</param>
    /// <param name="seconds">It ends by itself after so long.</param>
    public FioGuest(string socketPath, GuestLoad load, ulong sizeBytes, double seconds)
    {
        _folder = Directory.CreateTempSubdirectory("fastbackup-fio-");
        List<string> arguments =
        [
            "--output-format=json",
            "--name=" + LogName,
            "--ioengine=nbd",
            "--uri=nbd+unix:///disk?socket=" + socketPath,
            "--rw=" + load.Pattern,
            "--bs=" + load.Block,
            Text($"--iodepth={load.Depth}"),
            Text($"--size={sizeBytes / load.DiskParts / BlockBytes * BlockBytes}"),
            "--time_based",
            Text($"--runtime={Math.Max(1, (int)Math.Ceiling(seconds))}"),
            "--randrepeat=0",
            "--write_lat_log=" + Path.Combine(_folder.FullName, LogName),
            "--disable_slat=1",
            "--disable_lat=1",
            "--log_unix_epoch=1",
        ];
        if (load.RatePerSecond > 0)
            arguments.Add(Text($"--rate_iops={Rates(load)}"));
        if (load.ReadShare > 0)
            arguments.Add(Text($"--rwmixread={load.ReadShare}"));
        if (load.Flushes)
            arguments.Add("--fsync=1");
        if (load.Distribution is { } distribution)
            arguments.Add("--random_distribution=" + distribution);
        _fio = RunningProgram.Start(Program, arguments);
    }

    /// <summary>Of reads, then of writes.</summary>
    static string Rates(GuestLoad load)
    {
        uint reads = load.RatePerSecond * load.ReadShare / 100;
        return load.ReadShare == 0 ? Text($"{load.RatePerSecond}") : Text($"{reads},{load.RatePerSecond - reads}");
    }

    public static bool IsPresent => SystemPrograms.Find(Program) != null;

    public bool HasEnded => _fio.HasExited;

    /// <summary>Asks it to end: it waits for its writes in flight, and writes its log.</summary>
    public void RequestEnd() => _fio.Interrupt();

    /// <summary>Waits for its end and reads its log.</summary>
    /// <param name="startMs">Begin of the time that counts, milliseconds of the time of day.</param>
    /// <param name="endMs">Its end.</param>
    /// <param name="cancel">Ends the wait.</param>
    public GuestFigures Finish(double startMs, double endMs, CancellationToken cancel)
    {
        _fio.WaitForSuccess(EndLimit, cancel, ExitInterrupted);
        string output = _fio.Output;
        int json = output.IndexOf('{', StringComparison.Ordinal); // warnings may come first
        if (json < 0)
            throw new PeerException("fio printed no JSON: " + output);
        JsonNode job = JsonNode.Parse(output[json..])!["jobs"]![0]!;
        int errorCount = (int)job["error"]! == 0 ? 0 : 1; // fio ends at the first
        string log = Path.Combine(_folder.FullName, LogName + "_clat.1.log");
        return GuestFigures.Of(Read(log), startMs, endMs, errorCount);
    }

    public void Dispose()
    {
        _fio.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>Lines of: time, latency, direction, size, priority.</summary>
    static IEnumerable<GuestWrite> Read(string path)
    {
        foreach (string line in File.ReadLines(path))
        {
            string[] fields = line.Split(',', 4);
            yield return new GuestWrite(
                double.Parse(fields[0], CultureInfo.InvariantCulture),
                double.Parse(fields[1], CultureInfo.InvariantCulture),
                fields[2].Trim() == "0"
            );
        }
    }

    static string Text(FormattableString text) => FormattableString.Invariant(text);
}
