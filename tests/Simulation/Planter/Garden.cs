// The engine's sources with all bugs in them, each behind its switch, and the list of their names as an enum.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastBackup.Tests.Planter;

static class Garden
{
    public const string EnumPath = "PlantedBug.cs";

    /// <summary>Plants bugs, whatever their order.</summary>
    /// <param name="sources">By path below the engine's folder: the lines of each file.</param>
    /// <param name="bugs">All of them; each finds its lines in the sources as they are without any.</param>
    /// <returns>As the sources, and the enum.</returns>
    /// <exception cref="PlanterException">One does not fit.</exception>
    public static Dictionary<string, string[]> Plant(Dictionary<string, string[]> sources, IEnumerable<Bug> bugs)
    {
        Bug[] all = [.. bugs.OrderBy(bug => bug.Name, StringComparer.Ordinal)];
        Dictionary<string, string[]> planted = new(sources) { [EnumPath] = EnumOf(all) };
        foreach (
            IGrouping<string, Edit> file in all.SelectMany(bug => bug.Changes)
                .Select(change => change.Place(sources))
                .GroupBy(edit => edit.Path)
        )
            planted[file.Key] = Edit.Apply(sources[file.Key], file);
        return planted;
    }

    static string[] EnumOf(Bug[] bugs) =>
        [
            "namespace FastBackup.Tests.Simulation;",
            "",
            "enum PlantedBug",
            "{",
            "    None,",
            .. bugs.Where(bug => !bug.IsSeam).Select(bug => $"    {bug.Name},"),
            "}",
        ];

    /// <summary>The engine's files, without what is built of them.</summary>
    /// <param name="folder">The engine's.</param>
    public static Dictionary<string, string[]> ReadSources(string folder) =>
        Directory
            .EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/'))
            .Where(name => name.Split('/')[0] is not ("obj" or "bin"))
            .ToDictionary(name => name, name => File.ReadAllLines(Path.Combine(folder, name)));

    public static IEnumerable<Bug> ReadBugs(string folder) =>
        Directory
            .EnumerateFiles(folder)
            .Where(path => Path.GetExtension(path) is ".bug" or ".seam")
            .Select(path => new Bug(path, File.ReadLines(path)));

    /// <summary>Makes a folder hold these files and no others; those that are right keep their time.</summary>
    /// <param name="folder">Made where it is missing.</param>
    /// <param name="files">By path below it.</param>
    public static void Write(string folder, Dictionary<string, string[]> files)
    {
        Directory.CreateDirectory(folder);
        foreach (string path in Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
            if (!files.ContainsKey(Path.GetRelativePath(folder, path).Replace('\\', '/')))
                File.Delete(path);
        foreach ((string name, string[] lines) in files)
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path) && lines.SequenceEqual(File.ReadLines(path)))
                continue;
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllLines(path, lines);
        }
    }
}
