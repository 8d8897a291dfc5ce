// Where the tree lies, seen from the running program, whatever folder it was started in.
using System;
using System.IO;

namespace FastBackup.Tests;

public static class Repository
{
    /// <summary>The folder with FastBackup.sln, found upwards from this program's own file.</summary>
    public static string Root { get; } = FindRoot();

    /// <param name="path">From the root of the tree.</param>
    public static string PathOf(string path) => Path.Combine(Root, path);

    static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder != null && !File.Exists(Path.Combine(folder.FullName, "FastBackup.sln")))
            folder = folder.Parent;
        return folder?.FullName
            ?? throw new DirectoryNotFoundException("FastBackup.sln is in no folder above " + AppContext.BaseDirectory);
    }
}
