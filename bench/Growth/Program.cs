// How cost grows with what there is to do: start, scan and memory of an incremental backup over sizes of disks, and
// full backups of 1 to 16 disks at once.
//
//   dotnet run -c Release --project bench/Growth -- [--dir DIR] [--passes N] [--json]
//   dotnet run -c Release --project bench/Growth -- --smoke       small, checks work done and no time
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Growth;

static class Program
{
    static readonly Option<string?> Folder = new("--dir")
    {
        Description = "Folder for the files; needs 1 GiB. Default: a temporary one on a disk.",
    };

    static readonly Option<int> Passes = new("--passes")
    {
        Description = "How often each row is measured; the fastest counts.",
        DefaultValueFactory = _ => 3,
        HelpName = "N",
    };

    static readonly Option<bool> Smoke = new("--smoke")
    {
        Description = "A small run that checks work done, not time; exit code 1 when something is off.",
    };

    static readonly Option<bool> Json = new("--json") { Description = "One JSON document on standard output." };

    sealed record Document(string Host, List<SizeRow> Sizes, List<CountRow> Counts);

    static Task<int> Main(string[] arguments)
    {
        RootCommand root = new("How cost grows with size and number of disks.") { Folder, Passes, Smoke, Json };
        root.SetAction((parsed, cancel) => Task.Run(() => Guard(parsed, cancel), CancellationToken.None));
        InvocationConfiguration configuration = new() { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) };
        return root.Parse(arguments).InvokeAsync(configuration);
    }

    static int Guard(ParseResult parsed, CancellationToken cancel)
    {
        string parent = parsed.GetValue(Folder) ?? DiskFolder.Default();
        bool isSmoke = parsed.GetValue(Smoke);
        DirectoryInfo? folder = null;
        try
        {
            if (parsed.GetValue(Passes) is not (>= 1 and <= 100))
                throw new PeerException("--passes must be 1 to 100");
            DiskFolder.RequireSpace(parent, isSmoke ? 64 * Units.MiB : Units.GiB);
            folder = Directory.CreateDirectory(Path.Combine(parent, $"fastbackup-growth-{Guid.NewGuid():n}"));
            Document document = isSmoke
                ? Measure(folder.FullName, [Units.GiB], [1, 4], 1, Units.GiB, 16 * Units.MiB, cancel)
                : Measure(
                    folder.FullName,
                    SizeGrowth.Sizes,
                    CountGrowth.Counts,
                    parsed.GetValue(Passes),
                    64 * Units.GiB,
                    512 * Units.MiB,
                    cancel
                );
            Print(document, parsed.GetValue(Json));
            return isSmoke ? Check(document) : 0;
        }
        catch (PeerException exception)
        {
            Console.Error.WriteLine("growth: " + exception.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("growth: interrupted; the files are removed");
            return 130;
        }
        finally
        {
            folder?.Delete(recursive: true);
        }
    }

    static Document Measure(
        string folder,
        ulong[] sizes,
        int[] counts,
        int passCount,
        ulong nullBytes,
        ulong fileBytes,
        CancellationToken cancel
    ) =>
        new(
            HostLine.Describe(folder),
            SizeGrowth.Run(sizes, passCount, cancel),
            new CountGrowth(folder, passCount, cancel).Run(counts, nullBytes, fileBytes)
        );

    static void Print(Document document, bool isJson)
    {
        if (isJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(document));
            return;
        }
        foreach (SizeRow row in document.Sizes)
            Console.WriteLine(
                Text($"{row.SizeBytes / Units.GiB, 6} GiB, {row.Density, 6:G} dirty: made in {row.CreateUs, 8:F0} us, ")
                    + Text($"started in {row.StartUs, 6:F0} us, {row.RunCount, 10} runs found in ")
                    + Text($"{row.ScanUs / 1000, 8:F2} ms, {row.MemoryBytes / Units.MiB, 7:F1} MiB")
            );
        foreach (CountRow row in document.Counts)
            Console.WriteLine(
                Text($"{row.DiskCount, 2} {row.Kind} disks on {row.EngineCount} engines: ")
                    + Text($"{row.MiBPerSecond, 10:F0} MiB/s, {row.CpuPerGiB * 1000, 7:F3} ms of CPU per GiB")
            );
    }

    /// <summary>That the copies are equal to their sources was checked on the way, by an exception.</summary>
    static int Check(Document document)
    {
        bool isRight =
            document.Sizes.Count == SizeGrowth.Densities.Length
            && document.Sizes.TrueForAll(row => row.RunCount > 0 && row.StartUs > 0)
            && document.Counts.TrueForAll(row => row.MiBPerSecond > 0)
            && document.Counts.Exists(row => row is { Kind: "file", DiskCount: 4 });
        Console.Error.WriteLine(isRight ? "smoke: all as it should be" : "smoke: rows are missing or empty");
        return isRight ? 0 : 1;
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
