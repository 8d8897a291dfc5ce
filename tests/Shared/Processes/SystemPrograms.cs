// Where the programs of the system are: in PATH, and in the folders of programs for root, which an ordinary user's PATH
// leaves out.
using System;
using System.IO;
using System.Linq;

namespace FastBackup.Tests.Processes;

public static class SystemPrograms
{
    /// <summary>Where mke2fs, losetup and their like live.</summary>
    public static readonly string[] RootFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

    /// <param name="name">A program's name, or the full path of a file.</param>
    /// <returns>The full path, or null.</returns>
    public static string? Find(string name)
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return folders.Concat(RootFolders).Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
    }
}
