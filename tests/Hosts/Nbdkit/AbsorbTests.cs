// The plugin with a volatile write cache beside a backup: what was flushed is there, the copy is of its moment.
using System;
using System.Collections.Generic;
using System.IO;
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

public sealed class AbsorbTests : IDisposable
{
    const int DiskBytes = 16 << 20;

    readonly DiskFolder _folder = new();

    public AbsorbTests()
    {
        Requires.Command("qemu-io");
        Requires.Command("nbdkit");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void WritesBesideABackup_AreRead_AndWhatWasFlushed_IsOnTheDisk_AndNoneOfItInTheCopy()
    {
        (string disk, string copy) = (_folder["disk.raw"], _folder["copy.raw"]);
        _folder.Random("disk.raw", DiskBytes);
        byte[] before = File.ReadAllBytes(disk);
        using (PluginServer server = new(_folder.Path, disk, "backup=" + copy, "absorb=4M", "speed=8M"))
        {
            List<string> commands = [];
            for (int i = 0; i < 64; i++) // one client: a read of what was answered and has not landed may be among them
                commands.AddRange([$"write -P {i + 1} {DiskBytes - ((i + 1) * 65536)} 4k", "read -v 0 512"]);
            commands.Add("flush");
            for (int i = 0; i < 64; i++)
                commands.Add($"read -P {i + 1} {DiskBytes - ((i + 1) * 65536)} 4k");
            DiskFolder.QemuIo(server.Uri("disk"), [.. commands]);
            byte[] flushed = File.ReadAllBytes(disk);
            for (int i = 0; i < 64; i++)
                Assert.Equal((byte)(i + 1), flushed[DiskBytes - ((i + 1) * 65536)]);
            server.Wait(() => File.Exists(copy), PluginServer.EndLimit);
            server.End();
        }
        Assert.Equal(before, File.ReadAllBytes(copy));
    }

    [Theory]
    [InlineData("absorb=many", "many")]
    [InlineData("absorb=1024T", "absorb_bytes")]
    public void ASizeThatCannotBe_IsRefused_ByItsName(string parameter, string named)
    {
        _folder.Random("disk.raw", DiskBytes);
        string[] line = ["-f", "-U", _folder["n"], BuiltPlugin.File, _folder["disk.raw"], parameter];
        ToolRun refused = ToolRun.Of("nbdkit", line);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains(named, refused.Output, StringComparison.Ordinal);
    }
}
