// Programs of Windows, run by Wine in a Windows of their own.
//
// Wine proves contracts and order, never parallelism or alignment: FlushProcessWriteBuffers does nothing there, and
// .NET relies on it, so each program has one processor for itself, and there are as many programs at once as this
// machine has processors; reads without the cache take any alignment (our port checks it); FSCTL_SET_ZERO_DATA and
// FSCTL_QUERY_ALLOCATED_RANGES are unknown, as on FAT. An exception that passes a call by reflection hangs: a test
// that fails or is skipped in there ends at its time limit. Rarely a process of Wine's gives itself up before the
// program has said a word, with exit code 1 (abort_thread of its ntdll): such a run is made once more, whatever it then
// says.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Windows;

/// <summary>Threads: any.</summary>
static class Wine
{
    const string Loader = "/usr/lib/wine/wine64";
    const string Server = "/usr/lib/wine/wineserver64";

    static readonly Lazy<Task<string>> s_prefix = new(() => Task.Run(MakePrefix));
    static readonly BlockingCollection<int> s_processors = new(new ConcurrentQueue<int>(AllowedProcessors()));

    /// <summary>The folder of this Windows: its drives are links in there.</summary>
    public static string Prefix()
    {
        Requires.Command(Loader);
        return s_prefix.Value.Result;
    }

    /// <summary>Begins a program whose console is a terminal; it shares a processor.</summary>
    /// <param name="folder">Where it works.</param>
    /// <param name="program">As with Run.</param>
    /// <param name="arguments">One each; no quoting.</param>
    public static Terminal Open(string folder, Func<string> program, params string[] arguments)
    {
        string prefix = Prepare(program, out string file);
        Requires.Command("script");
        string[] line = ["taskset", "-c", $"{AllowedProcessors().First()}", Loader, file, .. arguments];
        return new Terminal(folder, line, Environment(prefix));
    }

    /// <summary>Runs a program to its end, on a processor that no other one has meanwhile.</summary>
    /// <param name="limit">After which it is ended; what it waits for a processor does not count.</param>
    /// <param name="folder">Where it works.</param>
    /// <param name="program">Makes it, or says where it is.</param>
    /// <param name="arguments">One each; no quoting.</param>
    public static ToolRun Run(TimeSpan limit, string folder, Func<string> program, params string[] arguments)
    {
        string prefix = Prepare(program, out string file);
        int processor = s_processors.Take();
        try
        {
            ToolRun run = Start(limit, folder, prefix, [Loader, file, .. arguments], processor);
            bool isGivenUp = run.ExitCode == 1 && run.Output.Length == 0;
            return isGivenUp ? Start(limit, folder, prefix, [Loader, file, .. arguments], processor) : run;
        }
        finally
        {
            s_processors.Add(processor);
        }
    }

    static string Prepare(Func<string> program, out string file)
    {
        Requires.Command(Loader);
        Requires.Command("taskset");
        _ = s_prefix.Value; // beside the making of the program
        file = program();
        return s_prefix.Value.Result;
    }

    static (string Name, string Value)[] Environment(string prefix) =>
        [("WINEPREFIX", prefix), ("WINEARCH", "win64"), ("WINEDEBUG", "-all")];

    static ToolRun Start(TimeSpan limit, string folder, string prefix, IEnumerable<string> line, int? processor = null)
    {
        IEnumerable<string> place = processor is { } one ? ["taskset", "-c", $"{one}"] : [];
        return ToolRun.Of(limit, "env", ["-C", folder, .. place, .. line], Environment(prefix));
    }

    /// <summary>
    /// Not in the tree: a link in it leads to the root of this machine, and whoever walks the tree would go there.
    /// Its server has all processors, and stays from one program to the next: a minute, should these tests be killed.
    /// </summary>
    static string MakePrefix()
    {
        string prefix = Directory.CreateTempSubdirectory("fb-wine-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Remove(prefix);
        TimeSpan limit = TimeSpan.FromMinutes(3);
        Start(limit, prefix, prefix, [Server, "-p60"]).ExpectSuccess();
        Start(limit, prefix, prefix, [Loader, "wineboot", "-i"]).ExpectSuccess();
        Start(limit, prefix, prefix, [Loader, "winecfg", "-v", "win10"]).ExpectSuccess();
        return prefix;
    }

    /// <summary>Ends what Wine still runs in there. Links are taken away as links.</summary>
    static void Remove(string prefix)
    {
        _ = Start(TimeSpan.FromSeconds(10), prefix, prefix, [Server, "-k", "-w"]);
        Directory.Delete(prefix, recursive: true);
    }

    /// <summary>Source: proc(5), Cpus_allowed_list: "0-3,8".</summary>
    static IEnumerable<int> AllowedProcessors()
    {
        string allowed = File.ReadLines("/proc/self/status")
            .First(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal));
        foreach (string part in allowed.Split(':')[1].Trim().Split(','))
        {
            int[] ends = [.. part.Split('-').Select(int.Parse)];
            for (int i = ends[0]; i <= ends[^1]; i++)
                yield return i;
        }
    }
}
