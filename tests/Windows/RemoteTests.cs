// Remote disks: 'serve' and its clients over TCP on this machine, both programs of Windows.
using System;
using System.IO;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Windows;

public sealed class RemoteTests : IDisposable
{
    const int DiskBytes = 20_000_000 / 512 * 512;

    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    readonly TempFolder _folder = new();

    public RemoteTests()
    {
        Disks.Random(_folder["disk.img"], DiskBytes);
        Disks.Random(_folder["other.img"], DiskBytes, seed: 7);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Served_Disks_AreSourceTargetAndCompared()
    {
        string address = LocalPort.Free().ToString();
        string[] line = ["serve", "disk.img", "other=other.img", "--listen", address];
        using Terminal server = Wine.Open(_folder.Path, WindowsPrograms.Command, line);
        server.WaitFor("Ctrl-C ends it");
        string disk = $"nbd://{address}/disk";
        string other = $"nbd://{address}/other";

        Expect(0, "backup", disk, "copy.img");
        AssertSame("copy.img");
        Assert.Contains("identical", Expect(0, "compare", disk, "copy.img"));
        Assert.Contains("--force", Expect(1, "backup", "disk.img", other));
        Expect(1, "compare", disk, other);
        Expect(0, "backup", disk, other, "--force");
        Assert.Contains("identical", Expect(0, "compare", other, "copy.img"));
        Assert.Contains("which the server does not have", Expect(1, "backup", $"nbd://{address}/nothing", "x.img"));

        server.Type(Terminal.CtrlC);
        Assert.Equal(0, server.Wait());
        AssertSame("other.img");
        Assert.Contains("cannot connect to '" + disk, Expect(1, "backup", disk, "x.img"));
        Assert.False(File.Exists(_folder["x.img"]) || File.Exists(_folder["x.img.partial"]));
    }

    void AssertSame(string name) =>
        Assert.True(File.ReadAllBytes(_folder["disk.img"]).AsSpan().SequenceEqual(File.ReadAllBytes(_folder[name])));

    string Expect(int exitCode, params string[] arguments)
    {
        ToolRun run = Wine.Run(s_limit, _folder.Path, WindowsPrograms.Command, arguments);
        Assert.True(run.ExitCode == exitCode, $"exit code {run.ExitCode}: {run.Output}");
        return run.Output;
    }
}
