// A qcow2 image as the disk of a guest: served for writing, backed up while it is written, and QEMU's again afterwards.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class Qcow2DiskTests : IDisposable
{
    readonly TempFolder _folder = new();

    public Qcow2DiskTests() => Requires.Command("qemu-img");

    public void Dispose() => _folder.Dispose();

    string Uri => $"nbd+unix:///disk?socket={_folder["s"]}";

    [Theory]
    [InlineData("cluster_size=64k")]
    [InlineData("cluster_size=16k,extended_l2=on")]
    public void AServedImage_IsWritten_AndBackedUpMeanwhile(string options)
    {
        Disks.Random(_folder["base.img"], 6 << 20);
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "-b", "base.img", "-F", "raw", "d.qcow2", "8M");
        Qemu("qemu-io", "-c", "write -P 1 1M 200k", "d.qcow2");
        Qemu("qemu-img", "snapshot", "-c", "before", "d.qcow2");
        Qemu("qemu-img", "convert", "-O", "raw", "d.qcow2", "old.img");
        using (RunningProgram server = Serve("d.qcow2"))
        {
            Disks.Random(_folder["new.img"], 8 << 20);
            Disks.Random(_folder["piece.img"], 100_000);
            using RunningProgram guest = Tool.Start("nbdcopy", "--flush", _folder["new.img"], Uri);
            Run("live-backup", "m", "disk=copy.img").Expect(0);
            guest.WaitForSuccess(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken, 0);
            Qemu("qemu-io", "-f", "raw", "-c", "discard 3M 1M", "-c", "write -z 1030k 3k", "-c", "flush", Uri);
            Run("live-backup", "m", "disk=last.img").Expect(0);
            Qemu("qemu-img", "compare", "-q", "-f", "raw", "-F", "raw", Uri, "last.img");
            // Others are told, as by QEMU.
            Run("serve", "d.qcow2", "--socket", "s2")
                .Expect(1)
                .ExpectSentence("disk", "'d.qcow2' is", "release it first");
            string refused = Tool.RunToCode(1, "qemu-io", "-f", "qcow2", "-c", "write 0 512", _folder["d.qcow2"]);
            Assert.DoesNotContain("wrote", refused);
            server.Signal("TERM");
            server.Wait().Expect(0);
        }
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        Qemu("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", "d.qcow2", "last.img");
        Qemu("qemu-img", "snapshot", "-a", "before", "d.qcow2");
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        Qemu("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", "d.qcow2", "old.img");
    }

    [Fact]
    public void AServerThatIsKilled_LeavesWhatWasFlushed()
    {
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "d.qcow2", "64M");
        Disks.Random(_folder["new.img"], 48 << 20);
        using (RunningProgram server = Serve("d.qcow2"))
        {
            Qemu("qemu-io", "-f", "raw", "-c", "write -P 7 50M 300k", "-c", "flush", Uri);
            using RunningProgram guest = Tool.Start("nbdcopy", _folder["new.img"], Uri);
            Eventually.True(() => new FileInfo(_folder["d.qcow2"]).Length > 20 << 20);
            server.Signal("KILL");
            _ = server.Wait();
        }
        _ = Tool.RunToCode(3, "qemu-img", "check", "-q", _folder["d.qcow2"]); // leaks
        using RunningProgram again = Serve("d.qcow2");
        Qemu(
            "qemu-io",
            "-f",
            "raw",
            "-c",
            "read -P 7 50M 300k",
            "-c",
            "write -P 8 1M 1M",
            "-c",
            "read -P 8 1M 1M",
            Uri
        );
    }

    [Fact]
    public void AnImageThatWasNotClosed_IsReadOnly()
    {
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "-o", "lazy_refcounts=on", "d.qcow2", "2M");
        _ = Tool.RunToCode(
            134,
            "qemu-io",
            "-c",
            "write -P 7 1M 100k",
            "-c",
            "flush",
            "-c",
            "abort",
            _folder["d.qcow2"]
        );
        byte[] before = File.ReadAllBytes(_folder["d.qcow2"]);
        Run("serve", "d.qcow2", "--socket", "s")
            .Expect(1)
            .ExpectSentence("disk: 'd.qcow2' was not closed", "qemu-img check -r all", "reading only");
        Assert.Equal(before, File.ReadAllBytes(_folder["d.qcow2"]));
        Qemu("qemu-img", "check", "-q", "-r", "all", "d.qcow2");
        using RunningProgram server = Serve("d.qcow2");
    }

    RunningProgram Serve(string image)
    {
        string[] line = ["serve", "disk=" + image, "--socket", "s", "--monitor", "m"];
        RunningProgram server = Programs.StartFastbackup(_folder.Path, line);
        Eventually.True(() => server.Output.Contains("Ctrl-C", StringComparison.Ordinal));
        return server;
    }

    ProgramResult Run(params string[] line) => Programs.Fastbackup(_folder.Path, line);

    void Qemu(string program, params string[] line) => Programs.Run(_folder.Path, program, line).Expect(0);
}
