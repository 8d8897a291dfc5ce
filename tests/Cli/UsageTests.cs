// The command line itself: help, version, and every wrong one. A wrong one is one sentence, exit code 2, and
// nothing was opened or made.
using System;
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

    [Theory]
    [InlineData("", "no command was given", "backup, compare, demo, doctor")]
    [InlineData("bakcup a b", "command 'bakcup' is not known", "backup, compare")]
    [InlineData("backup", "SOURCE is missing", "fastbackup backup --help")]
    [InlineData("backup a", "TARGET is missing", "fastbackup backup --help")]
    [InlineData("track", "no command was given", "add, info, map, remove; see 'fastbackup track --help'")]
    [InlineData("track ad d", "command 'ad' is not known (did you mean 'add'?)", "fastbackup track --help")]
    [InlineData("track add", "DISK is missing", "fastbackup track add --help")]
    [InlineData("compare a", "B is missing", "fastbackup compare --help")]
    [InlineData("ctl", "SOCKET is missing", "fastbackup ctl --help")]
    [InlineData("ctl s", "COMMAND is missing", "fastbackup ctl --help")]
    [InlineData("ctl s c a", "'a' is not key=value", "fastbackup ctl --help")]
    [InlineData("ctl s c a.b=1 a=2", "'a=2' gives a value twice", "fastbackup ctl --help")]
    [InlineData("ctl s c a=1 a.b=2", "'a.b=2' leads into 'a'", "fastbackup ctl --help")]
    [InlineData("top", "SOCKET is missing", "fastbackup top --help")]
    [InlineData("live-backup", "SOCKET is missing", "fastbackup live-backup --help")]
    [InlineData("live-backup s a --freeze x", "--freeze and --thaw belong together", "fastbackup live-backup --help")]
    [InlineData("live-backup s -", "TARGET '-' is not standard input or output", "give a path")]
    [InlineData("bakcup", "command 'bakcup' is not known", "did you mean 'backup'?")]
    [InlineData("help bakcup", "command 'bakcup' is not known", "backup, compare")]
    [InlineData("version 2", "'2' is one argument too many", "fastbackup version --help")]
    [InlineData("backup a --forse", "option '--forse' is not known", "did you mean '--force'?")]
    [InlineData("backup --forse a b", "option '--forse' is not known", "did you mean '--force'?")]
    [InlineData("backup a -b", "option '-b' is not known", "is written './-b'")]
    [InlineData("backup a -5", "option '-5' is not known", "is written './-5'")]
    [InlineData("backup a --force=b", "option '--force' takes no value", "leave '=b' away")]
    [InlineData("backup a b --force true", "'true' is one argument too many", "--help")]
    [InlineData("backup a b --memory --quite", "option '--quite' is not known", "did you mean '--quiet'?")]
    [InlineData("backup a -", "TARGET '-' is not standard input or output", "'./-' is a file")]
    [InlineData("backup - b", "SOURCE '-' is not standard input or output", "give a path")]
    [InlineData("compare a -", "B '-' is not standard input or output", "give a path")]
    [InlineData("doctor -", "PATH '-' is not standard input or output", "give a path")]
    [InlineData("doctor --qiet", "option '--qiet' is not known", "did you mean '--quiet'?")]
    [InlineData("top --onec", "option '--onec' is not known", "did you mean '--once'?")]
    [InlineData("ctl s c --wiat j", "option '--wiat' is not known", "did you mean '--wait'?")]
    [InlineData("ctl s c --speed=5", "option '--speed=5' is not known", "is written './--speed=5'")]
    [InlineData("ctl s c --events soon", "--events 'soon' is not a number of seconds", "for example 60")]
    [InlineData("demo --dir -", "--dir '-' is not standard input or output", "give a path")]
    [InlineData("demo --dir --jsn", "option '--jsn' is not known", "did you mean '--json'?")]
    [InlineData("demo --scratch -", "--scratch '-' names no file", "a new file")]
    [InlineData("--vresion", "option '--vresion' is not known", "did you mean '--version'?")]
    [InlineData("backup a b c", "'c' is one argument too many", "--help")]
    [InlineData("backup a b --fast", "option '--fast' is not known", "--help")]
    [InlineData("backup a b --sync most", "--sync 'most' is not known", "'full' or 'top'")]
    [InlineData("backup a b --speed 0", "--speed '0' is zero", "above zero")]
    [InlineData("backup a b --speed -5", "--speed '-5' is negative", "above zero")]
    [InlineData("backup a b --speed fast", "--speed 'fast' is not a size", "200MB")]
    [InlineData("backup a b --speed 2TiB", "--speed '2TiB' is above 1TiB a second", "no limit")]
    [InlineData("backup a b --speed 17EiB", "--speed '17EiB' is too large", "64 bits")]
    [InlineData("backup a b --cluster 0", "--cluster '0' is zero", "power of two")]
    [InlineData("backup a b --cluster -64KiB", "--cluster '-64KiB' is negative", "above zero")]
    [InlineData("backup a b --cluster 48KiB", "--cluster '48KiB' is not a power of two", "64KiB")]
    [InlineData("backup a b --cluster 512", "--cluster '512' is below the smallest", "4KiB")]
    [InlineData("backup a b --cluster 2GiB", "--cluster '2GiB' is above the largest", "1GiB")]
    [InlineData("backup a b --memory 0", "--memory '0' is zero", "two clusters")]
    [InlineData("backup a b --memory -1", "--memory '-1' is negative", "above zero")]
    [InlineData("backup a b --memory 100TiB", "--memory '100TiB' is more than", "give less")]
    [InlineData("backup a b --memory 64KiB", "is below two clusters of 64.0 KiB", "more memory or a smaller --cluster")]
    [InlineData(
        "backup a b --cluster 64MiB",
        "is below two clusters of 64.0 MiB",
        "more memory or a smaller --cluster"
    )]
    [InlineData("demo --size 0", "--size '0' is below the smallest", "1MiB")]
    [InlineData("demo --size 1EiB", "--size '1EiB' is above the largest", "16TiB")]
    [InlineData("demo --guest-priority fast", "--guest-priority 'fast' is not known", "'strict', 'balanced' or 'off'")]
    [InlineData("demo --memory 64KiB", "is below two clusters of 64.0 KiB", "give more memory")]
    [InlineData("demo --target-speed 1MiB", "--target-speed '1MiB' is below the smallest", "4MiB a second")]
    [InlineData("demo --scratch ,1GiB", "--scratch ',1GiB' has no path", "a new file")]
    [InlineData("demo --scratch a,b", "--scratch 'a,b' has a limit 'b' that is not a size", "1.5GiB")]
    [InlineData("demo --scratch a,4KiB", "has a limit '4KiB' that is below one cluster of 64.0 KiB", "give more")]
    public void WrongCommandLine_IsOneSentenceAndExitCode2(string line, string what, string next)
    {
        string[] arguments = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        ProgramResult result = Programs.Fastbackup(_folder.Path, arguments).Expect(2).ExpectSentence(what, next);
        Assert.Equal("", result.Output);
        Assert.Equal("", FolderPicture.Take(_folder.Path));
    }
}
