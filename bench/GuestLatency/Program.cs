// The guest's side of a backup: what a guest feels while its disk is backed up by us and by QEMU, alternately, in one
// run on one machine. The command line.
using System;
using System.CommandLine;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

static class Program
{
    static readonly Option<string?> Folder = new("--dir")
    {
        Description = "Folder for source and target; needs twice the size. Default: a temporary one on a disk.",
    };

    static readonly Option<string> Size = new("--size")
    {
        Description = "Size of the guest's disk, for example 3GiB.",
        DefaultValueFactory = _ => "3GiB",
    };

    static readonly Option<int> Rounds = new("--rounds")
    {
        Description = "How often each row is measured.",
        DefaultValueFactory = _ => 3,
    };

    static readonly Option<double> Seconds = new("--seconds")
    {
        Description = "How long a guest is watched at most; a backup that ends before ends the row.",
        DefaultValueFactory = _ => 3,
    };

    static readonly Option<bool> Frontier = new("--frontier") { Description = "QEMU also with its x-perf settings." };

    static readonly Option<bool> Slow = new("--slow") { Description = "Also with a target limited to 50 MB/s." };

    static readonly Option<bool> Hung = new("--hung") { Description = "Also with a target that stops answering." };

    static readonly Option<bool> Smoke = new("--smoke")
    {
        Description = "A small run that checks work done, not time; exit code 1 when something is off.",
    };

    static readonly Option<bool> Reads = new("--reads")
    {
        Description = "Also a guest that reads its disk from the start, with and without its reads taken over.",
    };

    static readonly Option<bool> CopiesOnly = new("--copies-only")
    {
        Description =
            "Also ours with sync none: what copy-before-write costs a guest when nothing runs in the background.",
    };

    static readonly Option<bool> Absorb = new("--absorb")
    {
        Description = "Also ours with 16 MiB for writes that are answered before they land.",
    };

    static readonly Option<bool> Hardware = new("--hardware")
    {
        Description = "Also the same work done by fio itself: what the disk allows.",
    };

    static readonly Option<bool> Incremental = new("--incremental")
    {
        Description = "Also ours with an incremental backup of a tenth of the disk.",
    };

    static readonly Option<bool> OursOnly = new("--ours-only") { Description = "Without QEMU." };

    static readonly Option<string?> Load = new("--load")
    {
        Description = "One load only: qd1, qd16, 500/s, mixed, flush or zipf.",
        HelpName = "NAME",
    };

    static readonly Option<uint?> Warm = new("--warm")
    {
        Description = "How long ours looks at guests' writes before the point in time; 0: not at all.",
        HelpName = "MS",
    };

    static readonly Option<string> Server = new("--server")
    {
        Description = "What serves our disk: ours, the NBD server in this process, or plugin, nbdkit with our plugin.",
        DefaultValueFactory = _ => "ours",
        HelpName = "NAME",
    };

    static readonly Option<bool> Json = new("--json") { Description = "One JSON document on standard output." };

    static Task<int> Main(string[] arguments)
    {
        RootCommand root = new("What a guest feels of a backup: ours and QEMU's, on one disk in one go.")
        {
            Folder,
            Size,
            Rounds,
            Seconds,
            Frontier,
            Slow,
            Hung,
            Reads,
            CopiesOnly,
            Absorb,
            Hardware,
            Incremental,
            Smoke,
            OursOnly,
            Load,
            Warm,
            Server,
            Json,
        };
        // On a thread of the pool: Ctrl-C is heard only once the action has given control back.
        root.SetAction((parsed, cancel) => Task.Run(() => Run(parsed, cancel), CancellationToken.None));
        // Time to end the children and remove the files after Ctrl-C.
        InvocationConfiguration configuration = new() { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) };
        return root.Parse(arguments).InvokeAsync(configuration);
    }

    static int Run(ParseResult parsed, CancellationToken cancel)
    {
        if (!SizeText.TryParse(parsed.GetValue(Size)!, out ulong sizeBytes))
            return Refuse($"--size {parsed.GetValue(Size)}: give a whole number of MiB, for example 3GiB");
        if (parsed.GetValue(Rounds) < 1)
            return Refuse("--rounds must be at least 1");
        if (parsed.GetValue(Seconds) is not (>= 0.5 and <= 600))
            return Refuse("--seconds must be 0.5 to 600");
        if (parsed.GetValue(Load) is { } name && !Array.Exists(GuestLoad.All, load => load.Name == name))
            return Refuse($"--load {name}: it is one of qd1, qd16, 500/s, mixed, flush, zipf");
        if (parsed.GetValue(Server) is not ("ours" or "plugin"))
            return Refuse($"--server {parsed.GetValue(Server)}: it is one of ours, plugin");
        bool isPlugin = parsed.GetValue(Server) == "plugin";
        bool hasMore = Array.Exists([Slow, Hung, Reads, CopiesOnly, Absorb, Incremental], parsed.GetValue);
        if (isPlugin && hasMore)
            return Refuse(
                "--server plugin goes without --slow, --hung, --reads, --copies-only, --absorb and --incremental"
            );
        try
        {
            if (parsed.GetValue(Smoke))
                return isPlugin
                    ? PluginSmokeRun.Run(parsed.GetValue(Folder), cancel)
                    : SmokeRun.Run(parsed.GetValue(Folder), cancel);
            LatencySettings settings = new(
                parsed.GetValue(Folder),
                sizeBytes,
                parsed.GetValue(Rounds),
                parsed.GetValue(Seconds),
                parsed.GetValue(Frontier),
                parsed.GetValue(Slow),
                parsed.GetValue(Hung),
                parsed.GetValue(Reads),
                parsed.GetValue(CopiesOnly),
                parsed.GetValue(Absorb),
                parsed.GetValue(Hardware),
                parsed.GetValue(Incremental),
                parsed.GetValue(OursOnly),
                parsed.GetValue(Load),
                parsed.GetValue(Warm),
                isPlugin
            );
            return FullRun.Run(settings, parsed.GetValue(Json), cancel);
        }
        catch (PeerException exception)
        {
            Console.Error.WriteLine("guest-latency: " + exception.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("guest-latency: interrupted; the files are removed");
            return 130;
        }
    }

    static int Refuse(string sentence)
    {
        Console.Error.WriteLine("guest-latency: " + sentence);
        return 2;
    }
}
