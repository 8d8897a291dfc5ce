// The tree that the pages are made from: names in it begin at its root and have slashes.
using System;
using System.IO;
using System.Linq;

namespace FastBackup.Site;

static class SourceTree
{
    const string Mark = "FastBackup.sln";

    static readonly string s_root = FindRoot();

    public static string PathOf(string name) => Path.Combine(s_root, name);

    public static string Read(string name) => File.ReadAllText(PathOf(name));

    public static bool HasFile(string name) => File.Exists(PathOf(name));

    public static bool HasFolder(string name) => Directory.Exists(PathOf(name));

    /// <summary>The files right in a folder whose names end so, in order.</summary>
    /// <param name="folder">From the root.</param>
    /// <param name="ending">Of their names; empty for all.</param>
    public static string[] Files(string folder, string ending) =>
        [
            .. Directory
                .GetFiles(PathOf(folder))
                .Select(path => $"{folder}/{Path.GetFileName(path)}")
                .Where(name => name.EndsWith(ending, StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>Where a relative name in a file leads.</summary>
    /// <param name="file">From the root.</param>
    /// <param name="relative">As the file says it.</param>
    /// <returns>From the root; with dots in front where it leaves the tree.</returns>
    public static string Resolve(string file, string relative)
    {
        string folder = Path.GetDirectoryName(PathOf(file))!;
        string path = Path.GetFullPath(Path.Combine(folder, Uri.UnescapeDataString(relative)));
        return Path.GetRelativePath(s_root, path).Replace('\\', '/').TrimEnd('/');
    }

    static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder != null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, Mark)))
                return folder.FullName;
        throw new SiteException($"'{Mark}' is in no folder above {AppContext.BaseDirectory}; run this from the tree");
    }
}
