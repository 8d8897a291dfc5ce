// On a narrow terminal, in any locale, with colours refused and a reader that goes away: what people see still fits and
// is whole, and every refusal says what to do next.
using System;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed partial class NarrowTests : IDisposable
{
    const int Columns = 40;

    readonly TempFolder _folder = new();

    public NarrowTests() => Disks.Random(_folder["disk.img"], 3 << 20);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("doctor .", "processors")]
    [InlineData("--help", "corrupt")]
    [InlineData("doctor --help", "interrupted")]
    [InlineData("backup disk.img copy.img --force", "flushed to")]
    [InlineData("info disk.img", "disk.img")]
    public void Words_EndBeforeTheEdge(string words, string last)
    {
        string[] lines = [.. OnTerminal(words).TakeWhile(line => line != "Examples:")];
        Assert.Contains(OnTerminal(words), line => line.Contains(last, StringComparison.Ordinal));
        Assert.All(lines, line => Assert.True(line.Length <= Columns || !line.Trim().Contains(' '), line));
    }

    [Fact]
    public void Refusals_EndBeforeTheEdge()
    {
        string[] lines = OnTerminal("info nothing.img", exitCode: 1);
        Assert.True(lines.Length > 1);
        Assert.All(lines, line => Assert.True(line.Length <= Columns, line));
        Assert.EndsWith("check the path", string.Join(' ', lines));
    }

    [Fact]
    public void Progress_SaysHowLongItTakes()
    {
        string[] drawn = OnTerminal("backup disk.img copy.img --speed 4MiB");
        Assert.Contains(drawn, line => ProgressPattern().IsMatch(line));
        Assert.All(drawn.Where(line => line.Contains('%')), line => Assert.True(line.Length < Columns, line));
    }

    /// <summary>Neither a comma for a dot, nor a capital that a language has not.</summary>
    [Theory]
    [InlineData("tr_TR.UTF-8")]
    [InlineData("de_DE.UTF-8")]
    [InlineData("C")]
    [InlineData("nowhere")]
    public void Locale_ChangesNothing(string locale)
    {
        string variables = $"LC_ALL={locale} LANG={locale} NO_COLOR=1";
        foreach (
            string words in new[] { "info disk.img", "--help", "backup --FORCE", "demo --size 1.5GiX", "man backup" }
        )
            Assert.Equal(Shell($"$fastbackup {words}"), Shell($"{variables} $fastbackup {words}"));
        Assert.Equal(
            "disk.img",
            Shell($"{variables} $fastbackup info disk.img").Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries)[1]
        );
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("man")]
    [InlineData("completion zsh")]
    [InlineData("doctor .")]
    [InlineData("map disk.img")]
    public void AReaderThatGoesAway_IsNoError(string words) =>
        Assert.Equal(
            "0",
            Shell($"$fastbackup {words} 2> said | head -1 > first; echo ${{PIPESTATUS[0]}}; cat said").Trim()
        );

    /// <summary>Behind the semicolon of each sentence stands what to do.</summary>
    [Theory]
    [InlineData("info nothing.img", "check the path")]
    [InlineData("map nothing.img", "check the path")]
    [InlineData("check nothing.img", "check the path")]
    [InlineData("serve nothing.img --socket s", "check the path")]
    [InlineData("serve disk.img --socket nothing/s", "check the path")]
    [InlineData("serve disk.img --listen 192.0.2.1:10809 --tls off", "give an address of this machine")]
    [InlineData("track info disk.img", "make one with 'fastbackup track add'")]
    [InlineData("backup disk.img copy.img --tracker nothing", "make one with 'fastbackup track add'")]
    [InlineData("checkpoint list disk.img", "make one with 'fastbackup track add'")]
    [InlineData("track grow disk.img 1", "give a larger one")]
    [InlineData("run nothing.toml", "check the path")]
    [InlineData("man --to disk.img/x", "give another folder")]
    [InlineData("compare disk.img nothing.img", "check the path")]
    [InlineData("top nothing --once", "give the path that the host opened its monitor with")]
    public void Refusal_SaysWhatToDoNext(string words, string step)
    {
        ProgramResult result = Programs.Fastbackup(_folder.Path, words.Split(' '));
        Assert.NotEqual(0, result.ExitCode);
        result.ExpectSentence("; " + step);
    }

    /// <summary>What a terminal of so many columns gets, line by line and drawing by drawing.</summary>
    string[] OnTerminal(string words, int exitCode = 0)
    {
        Requires.Command("script");
        string line = $"stty cols {Columns} rows 24; TERM=xterm {BuiltCommand.Line} {words}";
        string said = Programs.Run(_folder.Path, "script", "-qec", line, "/dev/null").Expect(exitCode).Output;
        return ControlPattern().Replace(said, "").Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
    }

    string Shell(string line)
    {
        string functions = $"fastbackup='{BuiltCommand.Line}'\n";
        ProgramResult result = Programs.Run(_folder.Path, "bash", "-c", functions + line);
        return result.Output + result.Error;
    }

    [GeneratedRegex(@"\u001b(?:\[[0-9;?]*[A-Za-z]|[=>])")]
    private static partial Regex ControlPattern();

    [GeneratedRegex(@"^backup .*\d+ %.* left$")]
    private static partial Regex ProgressPattern();
}
