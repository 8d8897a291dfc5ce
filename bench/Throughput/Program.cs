// The device-level benchmark: our copy, what the disk gives, and QEMU's backup job, alternately on one disk.
// The command line, and the two hidden verbs that the program runs itself with as a child.
using System;
using System.CommandLine;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Throughput;

static class Program
{
    static readonly Option<string?> Folder = new("--dir")
    {
        Description = "Folder for source and target; needs twice the size. Default: a temporary one on a disk.",
    };

    static readonly Option<string> Size = new("--size")
    {
        Description = "Size of the source, for example 4GiB.",
        DefaultValueFactory = _ => "4GiB",
    };

    static readonly Option<int> Rounds = new("--rounds")
    {
        Description = "How often each copies, alternately.",
        DefaultValueFactory = _ => 3,
    };

    static readonly Option<bool> Tmpfs = new("--tmpfs") { Description = "In /dev/shm, in memory." };

    static readonly Option<bool> Smoke = new("--smoke")
    {
        Description = "A small run that checks work done, not time; exit code 1 when something is off.",
    };

    static readonly Option<bool> Thorough = new("--thorough")
    {
        Description = "Search the ceiling over many block sizes and depths first.",
    };

    static readonly Option<bool> Fragmented = new("--fragmented")
    {
        Description = "Instead: what a dirty bitmap names, every second 64 KiB, against QEMU.",
    };

    static readonly Option<string?> CommandPath = new("--command")
    {
        Description = "The command compiled ahead of time: measured too, with the whole of its process.",
        HelpName = "PATH",
    };

    static readonly Option<bool> Keep = new("--keep") { Description = "Keep the source for the next run." };

    static readonly Option<bool> Json = new("--json") { Description = "One JSON document on standard output." };

    static Task<int> Main(string[] arguments)
    {
        RootCommand root = new("Throughput of a full backup against fio's ceiling and QEMU, on one disk in one go.")
        {
            Folder,
            Size,
            Rounds,
            Tmpfs,
            Smoke,
            Thorough,
            Fragmented,
            CommandPath,
            Keep,
            Json,
            CopyCommand(),
            MachineryCommand(),
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
            return Refuse($"--size {parsed.GetValue(Size)}: give a whole number of MiB, for example 4GiB");
        if (parsed.GetValue(Rounds) < 1)
            return Refuse("--rounds must be at least 1");
        bool isTmpfs = parsed.GetValue(Tmpfs);
        string? folder = isTmpfs ? "/dev/shm" : parsed.GetValue(Folder);
        try
        {
            if (parsed.GetValue(Smoke))
                return SmokeRun.Run(folder, cancel);
            BenchSettings settings = new(
                folder,
                sizeBytes,
                parsed.GetValue(Rounds),
                parsed.GetValue(Thorough),
                parsed.GetValue(Keep),
                isTmpfs || (folder != null && DiskFolder.IsInMemory(folder)),
                parsed.GetValue(CommandPath)
            );
            if (parsed.GetValue(Fragmented))
                return FragmentedRun.Run(settings, parsed.GetValue(Json), cancel);
            return FullRun.Run(settings, parsed.GetValue(Json), cancel);
        }
        catch (PeerException exception)
        {
            Console.Error.WriteLine("throughput: " + exception.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("throughput: interrupted; the files are removed");
            return 130;
        }
    }

    static Command CopyCommand()
    {
        Argument<string> source = new("source");
        Argument<string> target = new("target");
        Option<bool> fresh = new("--fresh");
        Option<bool> overwrite = new("--overwrite");
        Option<bool> fragmented = new(FragmentedCopy.OurOption);
        Command command = new(OurCopy.CopyVerb, "One copy of ours; prints its report.")
        {
            source,
            target,
            fresh,
            overwrite,
            fragmented,
        };
        command.Hidden = true;
        command.SetAction(parsed =>
            CopyChild.Run(
                parsed.GetValue(source)!,
                parsed.GetValue(target)!,
                parsed.GetValue(fresh),
                parsed.GetValue(fragmented)
            )
        );
        return command;
    }

    static Command MachineryCommand()
    {
        Option<bool> smoke = new("--smoke");
        Command command = new(OurCopy.MachineryVerb, "The cost of the machinery; prints its rows.") { smoke };
        command.Hidden = true;
        command.SetAction(parsed => MachineryBench.Run(parsed.GetValue(smoke)));
        return command;
    }

    static int Refuse(string sentence)
    {
        Console.Error.WriteLine("throughput: " + sentence);
        return 2;
    }
}
