// The commands of the plugin's README, run as they stand: each block with the comment "sh: served" in front of it, in
// a folder with the plugin and a disk. nbdkit goes into the background there, which is how most people start it.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

public sealed class ReadmeTests : IDisposable
{
    const string Readme = BuiltPlugin.SourceFolder + "/README.md";
    const string Mark = "<!-- sh: served -->";
    const int DiskBytes = 32 << 20;

    readonly DiskFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Commands_DoWhatTheTextSays()
    {
        byte[] expected = File.ReadAllBytes(_folder.Random("disk.raw", DiskBytes));
        File.CreateSymbolicLink(_folder["nbdkit-fastbackup-plugin.so"], BuiltPlugin.File);
        string[] blocks = [.. Blocks()];
        Assert.Equal(3, blocks.Length);
        Serve(blocks[0], "true");
        expected.AsSpan(0, 1 << 20).Fill(1);
        DiskFolder.AssertEqual(expected, _folder.Bytes("disk.raw"));
        Serve(blocks[1], "for i in $(seq 200); do test -e copy.raw && break; sleep 0.1; done; test -e copy.raw");
        DiskFolder.AssertEqual(expected, _folder.Bytes("copy.raw"));
        Serve(blocks[2], "qemu-io -f raw -c 'write -P 2 0 1M' 'nbd+unix:///?socket=disk.sock'");
        DiskFolder.AssertEqual(expected, _folder.Bytes("moment.raw"));
    }

    [Fact]
    public void Parameters_AreThoseOfTheHelp()
    {
        string help = DiskFolder.Run("nbdkit", BuiltPlugin.File, "--help");
        string[] told = [.. help.Split('\n').Select(line => line.Split('=')[0]).Where(IsWord)];
        Assert.True(told.Length >= 13, help);
        string readme = File.ReadAllText(Repository.PathOf(Readme));
        Assert.All(told, word => Assert.Contains($"`{word}=", readme));
    }

    /// <summary>The block, then a check, then the end of the server that the block has started.</summary>
    void Serve(string block, string check)
    {
        string script = string.Join(
            '\n',
            $"cd '{_folder.Path}' || exit 1",
            "nbdkit() { command nbdkit -P pid \"$@\"; }",
            "set -e",
            block,
            $"({check}) || result=1",
            "kill $(cat pid)",
            "while kill -0 $(cat pid) 2>/dev/null; do sleep 0.05; done",
            "rm -f pid disk.sock",
            "exit ${result:-0}"
        );
        ToolRun run = ToolRun.Of("timeout", ["60", "bash", "-c", script]);
        Assert.True(run.ExitCode == 0, $"{script}\n{run.ExitCode}: {run.Output}");
    }

    static bool IsWord(string text) => text.Length > 0 && text.All(char.IsAsciiLetterLower);

    static IEnumerable<string> Blocks()
    {
        string[] lines = File.ReadAllLines(Repository.PathOf(Readme));
        for (int at = 0; at < lines.Length; at++)
            if (lines[at] == Mark)
                yield return string.Join('\n', lines.Skip(at + 2).TakeWhile(line => line != "```"));
    }
}
