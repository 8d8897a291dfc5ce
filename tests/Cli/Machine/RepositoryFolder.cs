// Where the tree and the built command lie, seen from the running test program.
using System;
using System.IO;

namespace FastBackup.Tests.Cli.Machine;

static class RepositoryFolder
{
    static readonly DirectoryInfo Here = new(AppContext.BaseDirectory.TrimEnd('/'));

    public static string Root { get; } = FindRoot();

    /// <summary>The command as built in the same configuration as these tests.</summary>
    public static string CommandPath =>
        Path.Combine(Root, "native-api/cli/bin", Here.Parent!.Name, Here.Name, "fastbackup.dll");

    static string FindRoot()
    {
        DirectoryInfo? folder = Here;
        while (folder != null && !File.Exists(Path.Combine(folder.FullName, "FastBackup.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("FastBackup.sln is nowhere above " + Here);
    }
}
