// The plugin for nbdkit, built once per run of the tests: the library by its own build script, then the plugin by its
// Makefile, into a folder that nothing else writes.
using System;
using System.IO;
using FastBackup.Tests.Abi.Machine;

namespace FastBackup.Tests.Hosts.Machine;

/// <summary>Threads: any.</summary>
static class BuiltPlugin
{
    const string SourceFolder = "native-api/hosts/nbdkit";
    const string Header = "native-api/include/fastbackup.h";

    static readonly Lazy<string> Built = new(Build);

    /// <summary>Whether the tree has the plugin, and the library the monitor that drives it.</summary>
    public static bool IsInTree =>
        Directory.Exists(Repository.PathOf(SourceFolder))
        && System.IO.File.ReadAllText(Repository.PathOf(Header)).Contains("fb_monitor_open", StringComparison.Ordinal);

    /// <summary>The shared object.</summary>
    public static string File => Built.Value;

    static string Build()
    {
        Requires.Command("gcc");
        Tool.Run(Repository.PathOf("native-api/packaging/build"), "v1");
        string folder = Repository.PathOf("tests/Hosts/bin/plugin");
        Tool.Run("make", "-C", Repository.PathOf(SourceFolder), "BUILD=" + folder);
        return Path.Combine(folder, "nbdkit-fastbackup-plugin.so");
    }
}
