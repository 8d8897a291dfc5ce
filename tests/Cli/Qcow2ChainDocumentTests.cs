// The recipes on the page about chains of images do what they say: each block's commands as they stand, on a disk that
// changes from day to day.
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class Qcow2ChainDocumentTests
{
    [Fact]
    public void AChain_IsMadeRestoredAndMerged()
    {
        Requires.Command("qemu-img");
        using TempFolder folder = new();
        Disks.Sparse(folder["disk.img"], 5 << 20, (0, 2 << 20));
        byte day = 0;
        foreach (string name in new[] { "sunday", "monday", "tuesday" })
        {
            Run(folder, name);
            File.Copy(folder["disk.img"], folder[$"day{++day}"]);
            if (name == "tuesday")
                continue;
            TrackedImage.Change(folder, 30 + day, day);
            TrackedImage.Change(folder, 50, day);
        }
        Run(folder, "restore");
        Directory.CreateDirectory(folder["kept"]);
        foreach (string file in new[] { "sunday.qcow2", "monday.qcow2", "tuesday.qcow2", "disk.img" })
            File.Copy(folder[file], folder["kept/" + file]);
        Run(folder, "commit");
        Assert.False(File.Exists(folder["monday.qcow2"]));
        string[] images = ["compare", "-q", "-f", "qcow2", "-F", "raw"];
        Programs.Run(folder.Path, "qemu-img", [.. images, "sunday.qcow2", "day2"]).Expect(0); // it has become monday
        Programs.Run(folder.Path, "qemu-img", [.. images, "sunday.qcow2", "day1"]).Expect(1);
        Run(folder, "rebase", "kept");
        Programs.Run(folder["kept"], "qemu-img", [.. images, "sunday.qcow2", "../day1"]).Expect(0);
    }

    [Fact]
    public void AnImageThatQemuWritesTo_IsCopiedByItsBitmap()
    {
        Requires.Command("qemu-img");
        using TempFolder folder = new();
        Programs.Run(folder.Path, "qemu-img", "create", "-q", "-f", "qcow2", "vm.qcow2", "6M").Expect(0);
        Programs.Run(folder.Path, "qemu-io", "-c", "write -P 3 1M 2M", "vm.qcow2").Expect(0);
        Run(folder, "bitmap");
        Programs.Run(folder.Path, "qemu-io", "-c", "write -P 4 2M 70k", "-c", "write -P 5 5M 4k", "vm.qcow2").Expect(0);
        Run(folder, "increment");
        Assert.True(new FileInfo(folder["vm-day1.qcow2"]).Length < 1 << 20);
    }

    const string Page = "native-api/docs/qcow2-chains.md";

    [Fact]
    public void EveryBlock_IsRun() =>
        Assert.Equal(
            ["sunday", "monday", "tuesday", "bitmap", "increment", "restore", "commit", "rebase"],
            CommandBlock.Read(Page).Select(one => one.Kind)
        );

    static void Run(TempFolder folder, string name, string where = "")
    {
        string commands = CommandBlock.Read(Page, name).Script;
        string script = $"set -e\nfastbackup() {{ {BuiltCommand.Line} \"$@\"; }}\n" + commands;
        Programs.Run(Path.Join(folder.Path, where), "sh", "-c", script).Expect(0);
    }
}
