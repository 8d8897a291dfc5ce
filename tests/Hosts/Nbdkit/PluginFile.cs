// The plugin, built once per run of the tests as its README says: the library's build script, then its Makefile.
using System;
using System.IO;
using System.Threading;
using FastBackup.Tests.Abi.Machine;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

/// <summary>Threads: any.</summary>
static class PluginFile
{
    public const string Folder = "native-api/hosts/nbdkit";

    static readonly TimeSpan BuildTimeLimit = TimeSpan.FromMinutes(10);
    static readonly Lazy<string> Built = new(Build, LazyThreadSafetyMode.ExecutionAndPublication);

    /// <summary>The shared object.</summary>
    public static string Path => Built.Value;

    static string Build()
    {
        foreach (string command in (string[])["gcc", "make", "pkg-config", "nbdkit"])
            Requires.Command(command);
        Requires.SystemPath("/usr/include/nbdkit-plugin.h");
        string build = Repository.PathOf("tests/Hosts/bin/nbdkit");
        Run(Repository.PathOf("native-api/packaging/build"), "v1");
        Run("make", "-C", Repository.PathOf(Folder), "BUILD=" + build);
        return System.IO.Path.Combine(build, "nbdkit-fastbackup-plugin.so");
    }

    static void Run(string file, params string[] arguments)
    {
        ToolRun run = ToolRun.Of(BuildTimeLimit, file, arguments);
        Assert.True(run.ExitCode == 0, run.Output);
    }
}
