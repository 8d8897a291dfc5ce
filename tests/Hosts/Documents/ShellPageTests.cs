// The pages for people who run virtual machines do what they say: their commands are run as they stand, from the build
// on, with a home folder of their own.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Documents;

public sealed class ShellPageTests : IDisposable
{
    const string QemuPage = "native-api/docs/qemu.md";
    const string NbdPage = "native-api/docs/nbd.md";
    const int DiskBytes = 64 << 20;
    const int DataBytes = 48 << 20; // a copy at 32 MiB/s takes longer than what a guest does meanwhile

    /// <summary>What guests do all the time, through the same server: the disk is no longer what images are.</summary>
    const string GuestWrites =
        "cp vm.raw before.raw\nqemu-io -f raw -c 'write -P 7 5M 300k' 'nbd+unix:///disk?socket=disk.sock'\n";

    static readonly TimeSpan BuildLimit = TimeSpan.FromMinutes(10);
    static readonly TimeSpan PageLimit = TimeSpan.FromSeconds(90);

    readonly TempFolder _home = new();
    readonly TempFolder _work = new();

    public void Dispose()
    {
        foreach (string file in Directory.EnumerateFiles(_work.Path, "*.pid").Order(StringComparer.Ordinal))
            Script("kill \"$(cat '" + file + "')\" 2>/dev/null || true");
        Script("mountpoint -q mnt && umount mnt || true");
        _work.Dispose();
        _home.Dispose();
    }

    [Fact]
    public void PageOfQemu_WorksAsItStands()
    {
        Requires.Command("qemu-system-x86_64");
        Requires.Command("qemu-img");
        Requires.Command("qemu-io");
        Build();
        string output = Follow(QemuPage, beforeTheEnd: GuestWrites);
        Assert.Contains("full", output);
        Assert.Contains("identical: ", output);
        foreach (string image in (string[])["monday.raw", "tuesday.raw", "slow.raw"])
            AssertSame("before.raw", image);
        Tool.Run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", _work["before.raw"], _work["moment.qcow2"]);
        Assert.False(Bytes("vm.raw").AsSpan().SequenceEqual(Bytes("before.raw")), "the guest has written nothing");
        AssertSame("vm.raw", "last.raw");
    }

    [Fact]
    public void PageOfNbd_WorksAsItStands()
    {
        Requires.Command("nbdfuse");
        Requires.SystemPath("/dev/fuse");
        Requires.Root();
        Build();
        Follow(NbdPage);
        AssertSame("copy.raw", "expected.raw");
        Assert.False(Bytes("vm.raw").AsSpan().SequenceEqual(Bytes("copy.raw")), "nothing was written meanwhile");
    }

    /// <summary>What the page says for once, in a home folder of this test's own.</summary>
    void Build()
    {
        ShellBlock block = ShellBlock.Read(QemuPage).Single(one => one.Place == ShellBlock.InTheTree);
        Run(BuildLimit, $"cd '{Repository.PathOf("")}'\n{block.Commands}");
    }

    /// <param name="page">From the root of the tree.</param>
    /// <param name="beforeTheEnd">Commands that are run before the last block.</param>
    string Follow(string page, string beforeTheEnd = "")
    {
        ShellBlock[] blocks = [.. ShellBlock.Read(page).Where(one => one.Place != ShellBlock.InTheTree)];
        Assert.Equal(ShellBlock.WithDisk, blocks[0].Place);
        blocks[^1] = blocks[^1] with { Commands = beforeTheEnd + blocks[^1].Commands };
        byte[] disk = new byte[DiskBytes];
        new Random(1).NextBytes(disk.AsSpan(0, DataBytes));
        File.WriteAllBytes(_work["vm.raw"], disk);
        string commands = string.Concat(blocks.Select(one => one.Commands));
        return Run(PageLimit, $"PATH=$HOME/.local/bin:$PATH\n{commands}");
    }

    void AssertSame(string left, string right) =>
        Assert.True(Bytes(left).AsSpan().SequenceEqual(Bytes(right)), $"{left} and {right} differ");

    byte[] Bytes(string name) => File.ReadAllBytes(_work[name]);

    string Run(TimeSpan limit, string commands)
    {
        ToolRun run = Script(limit, "set -euxo pipefail\n" + commands);
        Assert.True(run.ExitCode == 0, $"exit code {run.ExitCode}\n{run.Output}");
        return run.Output;
    }

    void Script(string commands) => Script(PageLimit, commands);

    ToolRun Script(TimeSpan limit, string commands)
    {
        string home = Environment.GetEnvironmentVariable("HOME") ?? "/";
        string packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(home, ".nuget/packages");
        return ToolRun.Of(
            limit,
            "bash",
            ["-c", $"cd '{_work.Path}'\n{commands}"],
            ("HOME", _home.Path),
            ("NUGET_PACKAGES", packages),
            ("DOTNET_NOLOGO", "1"),
            ("MSBUILDDISABLENODEREUSE", "1")
        );
    }
}
