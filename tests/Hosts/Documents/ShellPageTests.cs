// The pages for people who run virtual machines do what they say: their commands are run as they stand, from the build
// on, with a home folder of their own.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Tests.Abi.Machine;
using FastBackup.Tests.Hosts.Machine;
using Xunit;

namespace FastBackup.Tests.Hosts.Documents;

public sealed class ShellPageTests : IDisposable
{
    const string QemuPage = "native-api/docs/qemu.md";
    const string NbdPage = "native-api/docs/nbd.md";
    const int DiskBytes = 64 << 20;
    const int DataBytes = 48 << 20; // a copy at 32 MiB/s takes longer than what a guest does meanwhile

    static readonly TimeSpan BuildLimit = TimeSpan.FromMinutes(10);
    static readonly TimeSpan PageLimit = TimeSpan.FromSeconds(90);

    readonly WorkFolder _home = new();
    readonly WorkFolder _work = new();

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
        Build();
        string output = Follow(QemuPage);
        Assert.Contains("full", output);
        foreach (string image in (string[])["monday.raw", "tuesday.raw", "slow.raw"])
            AssertSame("vm.raw", image);
        Tool.Run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", _work["vm.raw"], _work["moment.qcow2"]);
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
        foreach (string command in (string[])["gcc", "make", "pkg-config", "nbdkit"])
            Requires.Command(command);
        ShellBlock block = ShellBlock.Read(QemuPage).Single(one => one.Place == ShellBlock.InTheTree);
        Run(BuildLimit, $"cd '{Repository.PathOf("")}'\n{block.Commands}");
    }

    string Follow(string page)
    {
        IEnumerable<ShellBlock> blocks = ShellBlock.Read(page).Where(one => one.Place != ShellBlock.InTheTree);
        Assert.Equal(ShellBlock.WithDisk, blocks.First().Place);
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
