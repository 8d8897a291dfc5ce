// The files of the repository as git sees them: tracked ones, and new ones that no ignore rule covers, so that
// a rule speaks up before the commit. Read once, shared by all rules.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;

namespace FastBackup.Tests.Tidy.Source;

static class Tree
{
    public static string Root { get; } = FindRoot();

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

    static string FindRoot()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "FastBackup.sln")))
                return at.FullName;
        }
        throw new DirectoryNotFoundException("FastBackup.sln is in no folder above " + AppContext.BaseDirectory);
    }

    static string[] ListPaths()
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
        ProcessStartInfo start = new("git", arguments) { WorkingDirectory = Root, RedirectStandardOutput = true };
        using Process git = Process.Start(start)!;
        string output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        if (git.ExitCode != 0)
            throw new InvalidOperationException($"git ls-files: exit code {git.ExitCode}");
        string[] paths = output.Split('\0', StringSplitOptions.RemoveEmptyEntries);
        return [.. paths.Where(path => File.Exists(FullPath(path))).Order(StringComparer.Ordinal)];
    }
}
