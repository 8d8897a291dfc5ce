// The examples of the page about repositories are run, line by line, in a folder with a disk: ours and stock restic's.
using System.IO;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed partial class RepositoryDocumentTests
{
    [Fact]
    public void Examples_Run()
    {
        Requires.Command("restic");
        using TempFolder folder = new();
        Disks.Sparse(folder["disk.img"], 5_000_000, (0, 2_000_000));
        string page = File.ReadAllText(Repository.PathOf("native-api/docs/repository.md"));
        MatchCollection blocks = BlockPattern().Matches(page);
        Assert.Equal(2, blocks.Count);
        foreach (Match block in blocks)
        {
            string script = $"set -e\nfastbackup() {{ {BuiltCommand.Line} \"$@\"; }}\n" + block.Groups[1].Value;
            using RunningProgram shell = new(
                folder.Path,
                "sh",
                ["-c", script],
                ("FASTBACKUP_PASSWORD", "a"),
                ("RESTIC_PASSWORD", "a")
            );
            shell.Wait().Expect(0);
        }
        Disks.AssertEqual(folder["disk.img"], folder["new.img"]);
        Disks.AssertEqual(folder["disk.img"], folder["by-restic.img"]);
    }

    [GeneratedRegex("<!-- sh: run -->\n```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex BlockPattern();
}
