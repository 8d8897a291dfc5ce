// Writes the site's files: into a new or empty folder, or over a site that was written there before. A folder with
// anything else in it is refused before anything is changed.
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastBackup.Site;

static class SiteFolder
{
    /// <param name="folder">Its full path.</param>
    /// <param name="files">Names and texts.</param>
    /// <returns>How many pages there are.</returns>
    public static int Write(string folder, IReadOnlyDictionary<string, string> files)
    {
        if (File.Exists(folder))
            throw new SiteException($"'{folder}' is a file; give --out a folder");
        bool isSite = Directory.Exists(folder) && IsSite(folder);
        if (Directory.Exists(folder) && !isSite && Directory.EnumerateFileSystemEntries(folder).Any())
            throw new SiteException($"'{folder}' holds something else; give --out a new or an empty folder");
        _ = Directory.CreateDirectory(folder);
        foreach (string old in isSite ? Directory.GetFiles(folder, "*.html") : [])
            File.Delete(old);
        foreach ((string name, string text) in files)
            File.WriteAllText(Path.Combine(folder, name), text);
        return files.Keys.Count(name => name.EndsWith(".html", System.StringComparison.Ordinal));
    }

    static bool IsSite(string folder)
    {
        string first = Path.Combine(folder, Contents.FirstPage);
        return File.Exists(first)
            && File.ReadAllText(first).Contains(Layout.Generator, System.StringComparison.Ordinal);
    }
}
