// What the documents for users of the C library say can be relied on by a machine: every C block compiles against the
// header, whole programs run, quotes equal their files, names exist, links lead somewhere.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Abi;

public sealed partial class DocumentTests
{
    const string Folder = "native-api/docs";
    const string BuildFolder = "tests/Abi/bin/documents";
    const int LinesMax = 199;
    const int ProgramCountMin = 2;

    static readonly string[] Files =
    [
        "README.md",
        .. Directory
            .EnumerateFiles(Repository.PathOf(Folder), "*.md")
            .Select(path => $"{Folder}/{Path.GetFileName(path)}")
            .Order(StringComparer.Ordinal),
    ];

    static readonly MarkdownBlock[] Blocks = [.. Files.SelectMany(MarkdownBlock.Read)];

    public static TheoryData<string> Documents => [.. Files];

    public static TheoryData<string, int> Programs
    {
        get
        {
            TheoryData<string, int> programs = [];
            foreach (MarkdownBlock block in Blocks.Where(block => block.Kind == "program"))
                programs.Add(block.File, block.Line);
            return programs;
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void EveryBlockOfC_Compiles(string file) =>
        Assert.All(
            Blocks.Where(block => block.File == file),
            block =>
            {
                string? problem = Problem(block);
                Assert.True(problem == null, $"{block.File}:{block.Line}: {problem}");
            }
        );

    [Theory]
    [MemberData(nameof(Programs))]
    public void WholeProgram_Runs(string file, int line)
    {
        MarkdownBlock block = Blocks.Single(block => block.File == file && block.Line == line);
        _ = BuiltLibrary.CompileAndRun(Write(block, block.Code));
    }

    [Fact]
    public void Documents_HaveProgramsAndTheReadmeQuotesEverySample()
    {
        Assert.True(Programs.Count >= ProgramCountMin, $"{Programs.Count} whole programs");
        IEnumerable<MarkdownBlock> quoting = Blocks.Where(block => block is { File: "README.md", Kind: "quoted" });
        string quotes = string.Concat(quoting.Select(block => block.Code));
        foreach (string path in Directory.EnumerateFiles(Repository.PathOf("native-api/samples"), "*.c"))
            Assert.Contains($"/* native-api/samples/{Path.GetFileName(path)} */", quotes);
    }

    [Theory]
    [InlineData("declarations", "int x;", true)]
    [InlineData("declarations", "int x = fb_no_such_call();", false)]
    [InlineData("statements", "fb_disk_write_end(disk);", true)]
    [InlineData("statements", "fb_disk_write_end(other);", false)]
    [InlineData("", "int x;", false)]
    [InlineData(
        "quoted",
        "/* native-api/samples/full_backup.c */\n  fb_queue queue;\n  fb_device source, target;",
        true
    )]
    [InlineData("quoted", "/* native-api/samples/full_backup.c */\n  fb_queue queue;\n  fb_disk disk;", false)]
    [InlineData("quoted", "/* native-api/samples/nowhere.c */\n  fb_queue queue;", false)]
    [InlineData("quoted", "int x;", false)]
    public void Block_IsJudged(string kind, string code, bool isGood)
    {
        string mark = kind.Length == 0 ? "" : $"<!-- c: {kind}; extern fb_disk disk; -->\n";
        string text = $"{mark}```c\n{code}\n```\n";
        MarkdownBlock block = Assert.Single(MarkdownBlock.Find("native-api/docs/a.md", text.Split('\n')));
        Assert.Equal(isGood, Problem(block) == null);
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Names_AreOfTheHeader(string file)
    {
        string header = File.ReadAllText(Repository.PathOf("native-api/include/fastbackup.h"));
        HashSet<string> known = [.. WordPattern().Matches(header).Select(match => match.Value)];
        string text = File.ReadAllText(Repository.PathOf(file));
        foreach (Match match in NamePattern().Matches(text))
        {
            bool isFamily = match.Value.EndsWith('_');
            bool isKnown = isFamily ? known.Any(name => name.StartsWith(match.Value)) : known.Contains(match.Value);
            Assert.True(isKnown, $"{file} names {match.Value}, which is not in the header");
        }
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Links_LeadSomewhere(string file)
    {
        string folder = Path.GetDirectoryName(Repository.PathOf(file))!;
        IEnumerable<string> links = LinkPattern()
            .Matches(File.ReadAllText(Repository.PathOf(file)))
            .Select(match => match.Groups[1].Value);
        Assert.All(links, link => Assert.True(Path.Exists(Path.Combine(folder, link)), $"{file}: {link}"));
    }

    [Fact]
    public void Documents_AreShort() =>
        Assert.All(
            Files.Where(file => file.StartsWith(Folder, StringComparison.Ordinal)),
            file => Assert.InRange(File.ReadLines(Repository.PathOf(file)).Count(), 1, LinesMax)
        );

    /// <summary>What is wrong with a block, or null.</summary>
    static string? Problem(MarkdownBlock block)
    {
        if (block.Kind == "quoted")
            return QuoteProblem(block);
        if (block.Kind is not ("program" or "declarations" or "statements"))
            return "no comment says how this block is to be compiled";
        Requires.Command("gcc");
        string source = Write(block, block.Kind == "program" ? block.Code : block.Source);
        string[] warnings = ["-Wall", "-Wextra", "-pedantic", "-Werror"];
        string include = "-I" + Repository.PathOf("native-api/include");
        ToolRun run = ToolRun.Of(
            "gcc",
            ["-std=c99", "-D_GNU_SOURCE", .. warnings, include, "-fsyntax-only", Repository.PathOf(source)]
        );
        return run.ExitCode == 0 ? null : run.Output;
    }

    static string? QuoteProblem(MarkdownBlock block)
    {
        MatchCollection heads = QuoteHeadPattern().Matches(block.Code);
        if (heads.Count == 0 || heads[0].Index != 0)
            return "a quote begins with the path of its file in a comment";
        for (int i = 0; i < heads.Count; i++)
        {
            int start = heads[i].Index + heads[i].Length;
            int end = i + 1 < heads.Count ? heads[i + 1].Index : block.Code.Length;
            string path = Repository.PathOf(heads[i].Groups[1].Value);
            if (!File.Exists(path) || !File.ReadAllText(path).Contains('\n' + block.Code[start..end]))
                return $"{heads[i].Groups[1].Value} does not exist or does not have these lines";
        }
        return null;
    }

    /// <returns>The file's path, from the root of the tree.</returns>
    static string Write(MarkdownBlock block, string text)
    {
        Directory.CreateDirectory(Repository.PathOf(BuildFolder));
        string name = Path.GetFileNameWithoutExtension(block.File).ToLowerInvariant();
        string path = $"{BuildFolder}/document_{name}_{block.Line}.c";
        File.WriteAllText(Repository.PathOf(path), text);
        return path;
    }

    [GeneratedRegex(@"\b(?:fb|FB)_\w+")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"\w+")]
    private static partial Regex WordPattern();

    [GeneratedRegex(@"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")]
    private static partial Regex LinkPattern();

    [GeneratedRegex(@"^/\* (\S+\.\w+) \*/\n", RegexOptions.Multiline)]
    private static partial Regex QuoteHeadPattern();
}
