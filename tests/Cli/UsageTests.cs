// The command line itself: help, version, and every wrong one. A wrong one is one sentence, exit code 2, and
// nothing was opened or made.
using System;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class UsageTests : IDisposable
{
    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("backup")]
    [InlineData("compare")]
    [InlineData("demo")]
    [InlineData("doctor")]
    [InlineData("ctl")]
    [InlineData("top")]
    [InlineData("live-backup")]
    [InlineData("serve")]
    [InlineData("track")]
    [InlineData("repo")]
    [InlineData("run")]
    [InlineData("info")]
    [InlineData("map")]
    [InlineData("check")]
    [InlineData("completion")]
    [InlineData("man")]
    public void Help_HasExamplesAndExitCodes(string command)
    {
        string[] arguments = command.Length == 0 ? ["--help"] : [command, "--help"];
        string help = Programs.Fastbackup(_folder.Path, arguments).Expect(0).Output;
        Assert.Contains("Examples:\n  fastbackup " + (command.Length == 0 ? "demo" : command), help);
        Assert.Contains("130  interrupted", help);
        Assert.Contains("Usage:", help);
    }

    [Theory]
    [InlineData("--version")]
    [InlineData("version")]
    public void Version_IsOneLine(string word) =>
        Assert.Matches(@"^\d+\.\d+\.\d+\n$", Programs.Fastbackup(_folder.Path, word).Expect(0).Output);

    [Theory]
    [InlineData("help", "--help")]
    [InlineData("help backup", "backup --help")]
    public void HelpAsAVerb_SaysTheSame(string verb, string option) =>
        Assert.Equal(
            Programs.Fastbackup(_folder.Path, option.Split(' ')).Expect(0).Output,
            Programs.Fastbackup(_folder.Path, verb.Split(' ')).Expect(0).Output
        );

    /// <summary>However narrow the terminal and whatever country: the same words, cut into lines that fit.</summary>
    [Theory]
    [InlineData(40, "LC_ALL=C")]
    [InlineData(20, "LC_ALL=tr_TR.UTF-8 NO_COLOR=1")]
    [InlineData(1, "LC_ALL=de_DE.ISO-8859-1")]
    public void Help_OnANarrowTerminal_SaysTheSame(int columns, string variables)
    {
        Requires.Command("script");
        string wide = Programs.Fastbackup(_folder.Path, "info", "--help").Expect(0).Output;
        string line = $"stty columns {columns}; TERM=xterm {variables} {BuiltCommand.Line} info --help";
        string shown = Programs.Run(_folder.Path, "script", "-qec", line, "/dev/null").Expect(0).Output;
        Assert.DoesNotMatch("\u001b\\[[0-9;]+m", shown); // no colours, ever
        Assert.Equal(Letters(wide), Letters(shown.Replace("\u001b[?1h\u001b=", "")));
    }

    /// <summary>In any order: a table of two columns is read down or across.</summary>
    static string Letters(string text) => string.Concat(text.Where(one => !char.IsWhiteSpace(one)).Order());

    public static TheoryData<string, string, string> Wrong
    {
        get
        {
            TheoryData<string, string, string> all = [];
            foreach ((string line, string wrong, string next) in WrongCommandLines.All)
                all.Add(line, wrong, next);
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public void WrongCommandLine_IsOneSentenceAndExitCode2(string line, string what, string next)
    {
        string[] arguments = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        ProgramResult result = Programs.Fastbackup(_folder.Path, arguments).Expect(2).ExpectSentence(what, next);
        Assert.Equal("", result.Output);
        Assert.Equal("", FolderPicture.Take(_folder.Path));
    }
}
