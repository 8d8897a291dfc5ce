// The files of the repository as git sees them: tracked ones, and new ones that no ignore rule covers, so that
// a rule speaks up before the commit. Where there is no git, or no repository (an archive of the sources), all files
// but those in folders that .gitignore names. Read once, shared by all rules.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Tidy.Source;

static class Tree
{
    public static string Root => Repository.Root;

    /// <summary>Paths from the root, with slashes.</summary>
    public static string[] Paths { get; } = ListPaths();

    /// <summary>Every C# file of the tree.</summary>
    public static SourceFile[] CSharp { get; } =
    [.. Paths.Where(path => path.EndsWith(".cs", StringComparison.Ordinal)).Select(Load)];

    /// <summary>Every file that is text: no NUL byte in it.</summary>
    public static IEnumerable<(string Path, string Text)> Texts() =>
        Paths.Where(path => !IsBinary(path)).Select(path => (path, File.ReadAllText(FullPath(path))));

    public static string FullPath(string path) => Path.Combine(Root, path);

    public static bool IsBinary(string path) => File.ReadAllBytes(FullPath(path)).AsSpan().Contains((byte)0);

    static SourceFile Load(string path) => new(path, File.ReadAllText(FullPath(path)));

    static string[] ListPaths() =>
        Requires.FindCommand("git") != null && Path.Exists(FullPath(".git")) ? AskGit() : Walk(Root);

    /// <summary>Without git: paths from a folder.</summary>
    internal static string[] Walk(string root)
    {
        string[] ignored = [.. File.ReadLines(FullPath(".gitignore")).Where(line => line.EndsWith('/')), ".git/"];
        List<string> found = [];
        Stack<string> folders = new([root]);
        while (folders.TryPop(out string? folder))
        {
            found.AddRange(Directory.EnumerateFiles(folder).Select(file => Path.GetRelativePath(root, file)));
            foreach (string inner in Directory.EnumerateDirectories(folder))
                if (!ignored.Contains(Path.GetFileName(inner) + "/"))
                    folders.Push(inner);
        }
        return [.. found.Order(StringComparer.Ordinal)];
    }

    static string[] AskGit()
    {
        // safe.directory: the tree may belong to another user than the one who runs the tests.
        string[] arguments =
        [
            "-c",
            "safe.directory=*",
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
            "-z",
        ];
        using RunningProgram git = new(Root, "git", arguments);
        string[] paths = git.Wait().Expect(0).Output.Split('\0', StringSplitOptions.RemoveEmptyEntries);
        return [.. paths.Where(path => File.Exists(FullPath(path))).Order(StringComparer.Ordinal)];
    }
}
