// The plugin for nbdkit, built once per run of the tests as its README says: the library by its own build script, then
// the plugin by its Makefile, into a folder that nothing else writes.
using System;
using System.IO;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Served;

/// <summary>Threads: any.</summary>
static class BuiltPlugin
{
    public const string SourceFolder = "native-api/hosts/nbdkit";

    static readonly Lazy<string> Built = new(Build);

    /// <summary>The shared object.</summary>
    public static string File => Built.Value;

    static string Build()
    {
        foreach (string command in (string[])["gcc", "make", "pkg-config", "nbdkit"])
            Requires.Command(command);
        Requires.SystemPath("/usr/include/nbdkit-plugin.h");
        Assert.True(Directory.Exists(BuiltLibrary.Folder));
        string folder = Repository.PathOf("tests/Hosts/bin/plugin");
        Tool.Run("make", "-C", Repository.PathOf(SourceFolder), "BUILD=" + folder);
        return Path.Combine(folder, "nbdkit-fastbackup-plugin.so");
    }
}
