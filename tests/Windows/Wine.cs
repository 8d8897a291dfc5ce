// Programs of this tree as Windows has them, run by Wine: published whole for win-x64 once per run of the tests, in a
// folder of their own, and a Windows of their own.
//
// Wine proves contracts and order, never parallelism or alignment: FlushProcessWriteBuffers does nothing there, and
// .NET relies on it, so a program gets one processor; reads without the cache take any alignment (our port checks it);
// FSCTL_SET_ZERO_DATA and FSCTL_QUERY_ALLOCATED_RANGES are unknown, as on FAT. An exception that passes a call by
// reflection hangs: a test that fails or is skipped in there ends at its time limit.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Windows;

/// <summary>Threads: any.</summary>
static class Wine
{
    const string Loader = "/usr/lib/wine/wine64";
    const string Server = "/usr/lib/wine/wineserver64";

    static readonly TimeSpan s_publishLimit = TimeSpan.FromMinutes(5);
    static readonly string s_folder = Path.Combine(AppContext.BaseDirectory, "windows");
    static readonly Lazy<string> s_prefix = new(MakePrefix);
    static readonly ConcurrentDictionary<string, Lazy<string>> s_published = new();

    /// <summary>Runs a program to its end.</summary>
    /// <param name="limit">After which it is ended.</param>
    /// <param name="folder">Where it works.</param>
    /// <param name="project">Its folder, from the root of the tree.</param>
    /// <param name="name">Of its file, without an ending.</param>
    /// <param name="arguments">One each; no quoting.</param>
    public static ToolRun Run(TimeSpan limit, string folder, string project, string name, params string[] arguments)
    {
        Requires.Command(Loader);
        Requires.Command("taskset");
        string program = Path.Combine(Published(project), name + ".exe");
        return Start(limit, folder, [Loader, program, .. arguments]);
    }

    static ToolRun Start(TimeSpan limit, string folder, IEnumerable<string> line, string? prefix = null) =>
        ToolRun.Of(
            limit,
            "env",
            ["-C", folder, "taskset", "-c", FirstProcessor(), .. line],
            ("WINEPREFIX", prefix ?? s_prefix.Value),
            ("WINEARCH", "win64"),
            ("WINEDEBUG", "-all")
        );

    static string Published(string project) =>
        s_published.GetOrAdd(project, one => new Lazy<string>(() => Publish(one))).Value;

    /// <summary>
    /// Not where the tree is built: what is restored for another system would be in the way of the next build there.
    /// </summary>
    static string Publish(string project)
    {
        string target = Path.Combine(s_folder, Path.GetFileName(project));
        ToolRun run = ToolRun.Of(
            s_publishLimit,
            "dotnet",
            [
                "publish",
                Repository.PathOf(project),
                "-c",
                "Release",
                "-r",
                "win-x64",
                "--self-contained",
                "--artifacts-path",
                Path.Combine(s_folder, "artifacts"),
                "-o",
                target,
                "-p:DynamicCodeSupport=false", // Wine 8 cannot give back code that was made at run time
                "-nodeReuse:false",
                "-v",
                "quiet",
                "--nologo",
            ]
        );
        Assert.True(run.ExitCode == 0, run.Output);
        return target;
    }

    /// <summary>
    /// Not in the tree: a link in it leads to the root of this machine, and whoever walks the tree would go there.
    /// </summary>
    static string MakePrefix()
    {
        string prefix = Directory.CreateTempSubdirectory("fb-wine-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Remove(prefix);
        TimeSpan limit = TimeSpan.FromMinutes(3);
        Start(limit, prefix, [Loader, "wineboot", "-i"], prefix).ExpectSuccess();
        Start(limit, prefix, [Loader, "winecfg", "-v", "win10"], prefix).ExpectSuccess();
        Start(limit, prefix, [Server, "-w"], prefix).ExpectSuccess();
        return prefix;
    }

    /// <summary>Ends what Wine still runs in there. Links are taken away as links.</summary>
    static void Remove(string prefix)
    {
        _ = Start(TimeSpan.FromSeconds(10), prefix, [Server, "-k", "-w"], prefix);
        Directory.Delete(prefix, recursive: true);
    }

    static string FirstProcessor()
    {
        string allowed = File.ReadLines("/proc/self/status")
            .First(line => line.StartsWith("Cpus_allowed_list:", StringComparison.Ordinal));
        return allowed.Split(':', '-', ',')[1].Trim();
    }
}
