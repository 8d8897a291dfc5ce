// A page of the site: where its text comes from, and what it is called.
using System;
using System.IO;
using System.Linq;
using FastBackup.Cli;

namespace FastBackup.Site;

/// <param name="Source">The file or folder of the tree, from its root; of a command what is typed to name it.</param>
/// <param name="FileName">In the folder of the site, which has no folders in it.</param>
/// <param name="Group">Of the menu; empty for what is not listed there.</param>
/// <param name="Name">In the menu.</param>
/// <param name="Text">Markdown.</param>
sealed record Page(string Source, string FileName, string Group, string Name, string Text)
{
    public const string CommandGroup = "Command";

    const string Readme = "README.md";

    /// <summary>It stands in the menu; what does not is reached by links.</summary>
    public bool IsListed { get; private init; } = true;

    /// <param name="file">Markdown, from the root of the tree.</param>
    /// <param name="group">Of the menu.</param>
    public static Page OfFile(string file, string group)
    {
        if (!SourceTree.HasFile(file))
            throw new SiteException($"{file} is not there; take it out of Contents.cs");
        string text = SourceTree.Read(file);
        string folder = Path.GetFileName(Path.GetDirectoryName(file)) ?? "";
        string word =
            file == Readme ? "index"
            : Path.GetFileName(file) == Readme ? folder.ToLowerInvariant()
            : Path.GetFileNameWithoutExtension(file).ToLowerInvariant();
        string title = text.Split('\n')[0].TrimStart('#', ' ');
        return new Page(file, word + ".html", group, title, text);
    }

    public static Page OfCommand(CommandPage command) =>
        new(command.Line, command.FileName + ".html", CommandGroup, command.Line, CommandText.Write(command))
        {
            IsListed = command.Words.Length < 3,
        };

    /// <summary>A file of the tree that a page links to, shown as it is.</summary>
    /// <param name="file">From the root.</param>
    public static Page OfSource(string file) =>
        new(file, FileNameOf(file), "", file, $"# {Path.GetFileName(file)}\n\n{Quote(file)}") { IsListed = false };

    /// <summary>The files of a folder that a page links to.</summary>
    /// <param name="folder">From the root.</param>
    public static Page OfFolder(string folder)
    {
        string[] parts =
        [
            .. SourceTree.Files(folder, "").Select(file => $"## {Path.GetFileName(file)}\n\n{Quote(file)}"),
        ];
        return new Page(folder, FileNameOf(folder), "", folder, $"# {folder}\n\n{string.Join("\n", parts)}")
        {
            IsListed = false,
        };
    }

    static string FileNameOf(string name) => "file-" + name.Replace('/', '-').ToLowerInvariant() + ".html";

    /// <summary>In a fence that no line of it ends.</summary>
    static string Quote(string file)
    {
        string fence = "```";
        string text = SourceTree.Read(file);
        while (text.Contains(fence, StringComparison.Ordinal))
            fence += '`';
        return $"{fence}\n{text.TrimEnd()}\n{fence}\n";
    }
}
