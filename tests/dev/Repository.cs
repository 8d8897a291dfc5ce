// Where the source tree is, whatever directory the program was started from.
using System;
using System.IO;

namespace FastBackup.Dev;

static class Repository
{
    /// <summary>The folder with FastBackup.sln, found upwards from this program's own file.</summary>
    public static string Root { get; } = FindRoot();

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    static string FindRoot()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "FastBackup.sln")))
                return at.FullName;
        }
        throw new DirectoryNotFoundException("FastBackup.sln is in no folder above " + AppContext.BaseDirectory);
    }
}
