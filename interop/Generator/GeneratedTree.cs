// The Generated folders on disk: brought in line with what was generated, or compared with it. A folder holds generated
// files only, so a file that is no longer generated is removed, and found by the comparison.
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastBackup.Interop.Generator;

static class GeneratedTree
{
    public static void Write(string root, IReadOnlyCollection<GeneratedFile> files)
    {
        foreach (string path in FindStale(root, files))
            File.Delete(Path.Combine(root, path));
        foreach (GeneratedFile file in files)
        {
            string path = Path.Combine(root, file.Path);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, file.Text);
        }
    }

    /// <returns>One line for each file that is missing, differs or does not belong; none when all is in line.</returns>
    public static IEnumerable<string> Compare(string root, IReadOnlyCollection<GeneratedFile> files)
    {
        foreach (GeneratedFile file in files)
        {
            string path = Path.Combine(root, file.Path);
            if (!File.Exists(path))
                yield return file.Path + ": missing; run interop/Generator";
            else if (File.ReadAllText(path) != file.Text)
                yield return file.Path + ": differs from what the header says; run interop/Generator";
        }
        foreach (string path in FindStale(root, files))
            yield return path + ": is no longer generated; run interop/Generator";
    }

    static IEnumerable<string> FindStale(string root, IReadOnlyCollection<GeneratedFile> files)
    {
        HashSet<string> wanted = [.. files.Select(file => file.Path)];
        foreach (string folder in files.Select(file => Path.GetDirectoryName(file.Path)!).Distinct())
        {
            string full = Path.Combine(root, folder);
            string[] present = Directory.Exists(full) ? Directory.GetFiles(full) : [];
            foreach (string path in present.Select(file => folder + "/" + Path.GetFileName(file)).Order())
                if (!wanted.Contains(path))
                    yield return path;
        }
    }
}
