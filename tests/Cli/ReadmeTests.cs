// The README's examples are run: each line of its sh blocks, in order, in a folder that holds what they name. What
// they print must begin like the output that the README shows below them.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed partial class ReadmeTests : IDisposable
{
    readonly TempFolder _folder = new();

    public ReadmeTests() => Disks.Sparse(_folder["disk.img"], 64 << 20, (0, 3_000_000), (40_000_000, 5_000_000));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Examples_RunAndPrintWhatIsShown()
    {
        (string Command, string Shown)[] examples = [.. Examples()];
        Assert.True(examples.Length >= 6, "the README has lost its examples");
        foreach ((string command, string shown) in examples)
        {
            string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            ProgramResult result = Programs.Fastbackup(_folder.Path, words[1..]);
            Assert.True(result.ExitCode == 0, $"{command}\n{result.Error}");
            Assert.Equal(Beginning(shown), Beginning(result.Output));
        }
        Assert.All(
            ["backup", "compare", "demo", "doctor"],
            verb => Assert.Contains(examples, example => example.Command.StartsWith("fastbackup " + verb))
        );
    }

    /// <summary>Every option in the README exists, and every option has a place in it.</summary>
    [Fact]
    public void Options_AreThoseOfTheCommand()
    {
        string readme = Readme();
        string help = Programs.Fastbackup(_folder.Path, "backup", "--help").Expect(0).Output;
        IEnumerable<string> offered = OptionPattern()
            .Matches(help[..help.IndexOf("Examples:")])
            .Select(one => one.Value);
        Assert.All(offered.Except(["--help"]), option => Assert.Contains($"`{option}", readme));
        string table = readme[readme.IndexOf("### Options of backup")..readme.IndexOf("### Exit codes")];
        Assert.All(OptionPattern().Matches(table).Select(one => one.Value), option => Assert.Contains(option, help));
    }

    [Fact]
    public void OptionsOfDemo_AreThoseOfTheCommand()
    {
        string help = Programs.Fastbackup(_folder.Path, "demo", "--help").Expect(0).Output;
        string readme = Readme();
        string table = readme[readme.IndexOf("| option of demo")..readme.IndexOf("Block devices are named")];
        string[] offered = [.. OptionPattern().Matches(help[..help.IndexOf("Examples:")]).Select(one => one.Value)];
        string[] shown = [.. OptionPattern().Matches(table).Select(one => one.Value)];
        Assert.Equal(offered.Except(["--help"]).Distinct().Order(), shown.Distinct().Order());
    }

    static IEnumerable<(string Command, string Shown)> Examples()
    {
        foreach (Match block in BlockPattern().Matches(Readme()))
        {
            string[] lines = block.Groups["commands"].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.All(lines, line => Assert.StartsWith("fastbackup ", line));
            yield return (Assert.Single(lines), block.Groups["shown"].Value);
        }
    }

    /// <summary>The first word or two: up to the first colon, number, wide gap or end of line.</summary>
    static string Beginning(string output) => BeginningPattern().Match(output).Value;

    static string Readme() => File.ReadAllText(Path.Combine(Repository.Root, "README.md"));

    [GeneratedRegex(
        @"^```sh\n(?<commands>.*?)^```\n```text\n(?<shown>.*?)^```$",
        RegexOptions.Multiline | RegexOptions.Singleline
    )]
    private static partial Regex BlockPattern();

    [GeneratedRegex(@"--[a-z]+")]
    private static partial Regex OptionPattern();

    [GeneratedRegex(@"\A.+?(?=:|\d|  |\n)")]
    private static partial Regex BeginningPattern();
}
