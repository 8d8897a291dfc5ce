// Completion in the shells themselves: lines are typed on a terminal, with the key for completion, and what the command
// is given in the end is what counts. A stand-in for the command writes its arguments down.
using System;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class CompletionTests : IDisposable
{
    const string Prompt = "ready> ";

    /// <summary>What is typed, with \t for the key, and what the command gets.</summary>
    static readonly (string Typed, string Given)[] s_lines =
    [
        (@"fastbackup bac\t--syn\tto\tdisk.img copy.img", "<backup><--sync><top><disk.img><copy.img>"),
        (@"fastbackup repo resto\tthei\t", "<repo><restore><their folder>"),
        (
            @"fastbackup backup disk.img --tracker disk.img.tr\t--guest-p\tst\t",
            "<backup><disk.img><--tracker><disk.img.track><--guest-priority><strict>"
        ),
        (@"fastbackup live-backup disk.img vda=their\t", "<live-backup><disk.img><vda=their folder>"),
        (@"fastbackup help chec\t", "<help><check>"),
        (@"fastbackup completion fi\t", "<completion><fish>"),
        (@"fastbackup backup --speed dis\t", "<backup><--speed><dis>"), // no file is a size
        (@"fastbackup track add disk.img.tr\t--gran\t4KiB", "<track><add><disk.img.track><--granularity><4KiB>"),
        (@"fastbackup backup --format=qc\t", "<backup><--format><qcow2>"),
        (@"fastbackup serve -- disk.img.tr\t", "<serve><--><disk.img.track>"),
    ];

    readonly TempFolder _folder = new();

    public CompletionTests()
    {
        _ = Directory.CreateDirectory(_folder["their folder"]);
        foreach (string name in new[] { "disk.img", "disk.img.track" })
            File.WriteAllText(_folder[name], "");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Bash_CompletesWhatIsTyped()
    {
        File.WriteAllText(_folder["rc"], $"PS1='{Prompt}'\nsource '{WriteScript("bash", "script")}'\n");
        TypeAll("bash", "--noprofile", "--rcfile", "rc", "-i");
    }

    /// <summary>Found by its name in a folder of fpath, as it is installed.</summary>
    [Fact]
    public void Zsh_CompletesWhatIsTyped()
    {
        _ = WriteScript("zsh", "_fastbackup");
        string rc = $"PS1='{Prompt}'\nfpath=('{_folder.Path}' $fpath)\nautoload -Uz compinit\ncompinit -u -D\n";
        File.WriteAllText(_folder[".zshrc"], rc);
        TypeAll("zsh", "-i");
    }

    [Fact]
    public void Fish_CompletesWhatIsTyped()
    {
        string rc = $"source '{WriteScript("fish", "script")}'; function fish_prompt; printf '{Prompt}'; end";
        TypeAll("fish", "--no-config", "-i", "-C", rc);
    }

    [Fact]
    public void EveryOptionAndCommandOfHelp_IsOffered()
    {
        Requires.Command("fish");
        HelpText[] all = [.. HelpText.ReadAll(_folder.Path)];
        _ = WriteScript("bash", "b");
        _ = WriteScript("fish", "f");
        string lines = string.Join(' ', all.Select(one => $"'{string.Join(' ', one.Words.Prepend("fastbackup"))}'"));
        string inBash = $$"""
            source ./b
            for line in {{lines}}; do
              for word in -- ''; do
                COMP_WORDS=($line "$word")
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                _fastbackup
                echo "${COMPREPLY[*]}"
              done
            done
            """;
        string inFish = $"source ./f; for l in {lines}; complete -C \"$l --\" | cut -f1 | string join ' '; end; true";
        string[] byBash = Programs.Run(_folder.Path, "bash", "-c", inBash).Expect(0).Output.Split('\n');
        string[] byFish = Programs.Run(_folder.Path, "fish", "--no-config", "-c", inFish).Expect(0).Output.Split('\n');
        foreach ((int index, HelpText help) in all.Index())
        {
            string[] options = [.. help.Options.Order()];
            Assert.Equal(options, byBash[index * 2].Split(' ').Order());
            Assert.Equal(options, byFish[index].Split(' ').Order());
            if (help.Commands.Length > 0)
                Assert.Equal(help.Commands, byBash[index * 2 + 1].Split(' '));
        }
    }

    string WriteScript(string shell, string name)
    {
        string script = Programs.Fastbackup(_folder.Path, "completion", shell).Expect(0).Output;
        File.WriteAllText(_folder[name], script);
        return _folder[name];
    }

    void TypeAll(string shell, params string[] arguments)
    {
        Requires.Command("python3");
        Requires.Command(shell);
        string[] typed = [.. s_lines.Select(line => line.Typed)];
        string[] script = [Repository.PathOf("tests/Cli/Command/shell.py"), _folder["ran"], Prompt];
        using RunningProgram typing = new(
            _folder.Path,
            "python3",
            [.. script, .. typed, "--", shell, .. arguments],
            ("PATH", WriteStandIn() + ":" + Environment.GetEnvironmentVariable("PATH")),
            ("ZDOTDIR", _folder.Path),
            ("HOME", _folder.Path),
            ("TERM", "xterm")
        );
        typing.Wait().Expect(0);
        Assert.Equal(s_lines.Select(line => line.Given), File.ReadAllLines(_folder["ran"]).Select(Plain));
    }

    /// <summary>A shell may write --sync=top for --sync top, and a folder with its slash or without.</summary>
    static string Plain(string given) =>
        Regex.Replace(given, "<(--[a-z-]+)=", "<$1><").Replace("/>", ">", StringComparison.Ordinal);

    string WriteStandIn()
    {
        string stand = $"#!/bin/sh\nprintf '<%s>' \"$@\" >> '{_folder["ran"]}'\necho >> '{_folder["ran"]}'\n";
        string folder = Directory.CreateDirectory(_folder[".bin"]).FullName;
        File.WriteAllText(_folder[".bin/fastbackup"], stand);
        File.SetUnixFileMode(_folder[".bin/fastbackup"], UnixFileMode.UserRead | UnixFileMode.UserExecute);
        return folder;
    }
}
