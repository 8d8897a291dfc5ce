// Where the tree lies, seen from the running test program.
using System;
using System.IO;

namespace FastBackup.Tests.Abi.Machine;

static class Repository
{
    public static string Root { get; } = FindRoot();

    public static string PathOf(string path) => Path.Combine(Root, path);

    static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder != null && !File.Exists(Path.Combine(folder.FullName, "FastBackup.sln")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("FastBackup.sln is nowhere above the tests");
    }
}
