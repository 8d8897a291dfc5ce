// The recipe of a chain of images on the page about qcow2 does what it says: each day's commands as they stand, on a
// disk that changes from day to day.
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed partial class Qcow2DocumentTests
{
    [Fact]
    public void AChain_IsMadeAndMerged()
    {
        Requires.Command("qemu-img");
        using TempFolder folder = new();
        Disks.Sparse(folder["disk.img"], 5 << 20, (0, 2 << 20));
        string page = File.ReadAllText(Repository.PathOf("native-api/docs/qcow2.md"));
        string[] days = [.. BlockPattern().Matches(page).Select(one => one.Groups[1].Value)];
        Assert.Equal(["sunday", "monday", "tuesday", "merge"], days);
        byte day = 0;
        foreach (Match block in BlockPattern().Matches(page))
        {
            string script = $"set -e\nfastbackup() {{ {BuiltCommand.Line} \"$@\"; }}\n" + block.Groups[2].Value;
            Programs.Run(folder.Path, "sh", "-c", script).Expect(0);
            if (++day >= days.Length - 1)
                continue;
            File.Copy(folder["disk.img"], folder[$"day{day}"]);
            TrackedImage.Change(folder, 30 + day, day);
            TrackedImage.Change(folder, 50, day);
        }
        Assert.False(File.Exists(folder["monday.qcow2"]));
        string[] images = ["compare", "-q", "-f", "qcow2", "-F", "raw"];
        Programs.Run(folder.Path, "qemu-img", [.. images, "sunday.qcow2", "day2"]).Expect(0); // it has become monday
        Programs.Run(folder.Path, "qemu-img", [.. images, "sunday.qcow2", "day1"]).Expect(1);
    }

    [GeneratedRegex("<!-- sh: (\\w+) -->\n```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex BlockPattern();
}
