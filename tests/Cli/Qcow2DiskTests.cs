// A qcow2 image as the disk of a guest: served for writing, backed up while it is written, and QEMU's again afterwards.
using System;
using System.Globalization;
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

    /// <summary>While a guest writes, as by QEMU: what is new is zero, whatever the image below has there.</summary>
    [Theory]
    [InlineData("cluster_size=64k", true)]
    [InlineData("cluster_size=512", true)]
    [InlineData("cluster_size=16k,extended_l2=on", true)]
    [InlineData("compat=0.10,cluster_size=4k", true)]
    [InlineData("compat=0.10", false)]
    [InlineData("cluster_size=2M,preallocation=metadata", false)]
    [InlineData("data_file=data.raw,data_file_raw=on,cluster_size=4k", false)]
    [InlineData("data_file=data.raw,cluster_size=64k", false)]
    public void AServedImage_BecomesLarger(string options, bool hasBacking)
    {
        const string Before = "6292992"; // 6 MiB and three sectors
        const string After = "20972032";
        Disks.Random(_folder["base.img"], 12 << 20);
        string[] below = hasBacking ? ["-b", "base.img", "-F", "raw"] : [];
        Qemu("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options, .. below, "d.qcow2", Before]);
        Qemu("qemu-io", "-c", "write -P 1 1M 200k", "-c", "write -P 2 6M 1k", "d.qcow2");
        Qemu("qemu-img", "convert", "-O", "raw", "d.qcow2", "expected.img");
        string[] first = ["-c", "write -P 3 5M 1M", "-c", "write -z 2M 100k", "-c", "flush"];
        string[] second =
        [
            "-c",
            "write -P 4 5900k 1M",
            "-c",
            "write -P 5 20M 512",
            "-c",
            "write -z 19M 70k",
            "-c",
            "flush",
        ];
        using (RunningProgram server = Serve("d.qcow2"))
        {
            Qemu("qemu-io", ["-f", "raw", .. first, Uri]);
            Run("ctl", "m", "block_resize", "node-name=disk", "size=" + After).Expect(0);
            Assert.Contains($"\"virtual-size\": {After}", Output("qemu-img", "info", "--output=json", Uri));
            Qemu("qemu-io", "-f", "raw", "-c", "read -P 0 6292992 14679040", Uri);
            Qemu("qemu-io", ["-f", "raw", .. second, Uri]);
            Run("ctl", "m", "block_resize", "node-name=disk", "size=" + Before)
                .Expect(1)
                .ExpectSentence($"disk 'disk' has {After} bytes and cannot shrink to {Before}");
            Run("ctl", "m", "block_resize", "node-name=disk", "size=20972033")
                .Expect(1)
                .ExpectSentence("whole sectors");
            Run("live-backup", "m", "disk=last.img").Expect(0);
            server.Signal("TERM");
            server.Wait().Expect(0);
        }
        Qemu("qemu-io", ["-f", "raw", .. first, "expected.img"]);
        Qemu("qemu-img", "resize", "-q", "-f", "raw", "expected.img", After);
        Qemu("qemu-io", ["-f", "raw", .. second, "expected.img"]);
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        Qemu("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", "d.qcow2", "expected.img");
        Assert.Contains($"\"virtual-size\": {After}", Output("qemu-img", "info", "--output=json", "d.qcow2"));
        Disks.AssertEqual(_folder["expected.img"], _folder["last.img"]);
        if (options.Contains("data_file", StringComparison.Ordinal))
            Assert.Equal(long.Parse(After, CultureInfo.InvariantCulture), new FileInfo(_folder["data.raw"]).Length);
        if (options.Contains("data_file_raw", StringComparison.Ordinal))
            Disks.AssertEqual(_folder["expected.img"], _folder["data.raw"]);
    }

    [Fact]
    public void AnImageWhoseSnapshotsHaveNoSize_StaysAsItIs()
    {
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "-o", "compat=0.10", "d.qcow2", "2M");
        Qemu("qemu-img", "snapshot", "-c", "before", "d.qcow2");
        using (RunningProgram server = Serve("d.qcow2"))
            Run("ctl", "m", "block_resize", "node-name=disk", "size=4194304")
                .Expect(1)
                .ExpectSentence("internal snapshots", "cannot become larger");
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "d.qcow2", "2M");
        Qemu("qemu-io", "-c", "write -P 1 0 2M", "d.qcow2");
        Qemu("qemu-img", "snapshot", "-c", "before", "d.qcow2");
        using (RunningProgram server = Serve("d.qcow2"))
        {
            Run("ctl", "m", "block_resize", "node-name=disk", "size=1099511627776").Expect(0);
            Qemu("qemu-io", "-f", "raw", "-c", "write -P 2 1M 2M", "-c", "write -P 3 1023G 1M", Uri);
            server.Signal("TERM");
            server.Wait().Expect(0);
        }
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        Qemu("qemu-io", "-c", "read -P 2 1M 2M", "-c", "read -P 3 1023G 1M", "-c", "read -P 0 3M 1G", "d.qcow2");
        Qemu("qemu-img", "snapshot", "-a", "before", "d.qcow2");
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        Assert.Contains("\"virtual-size\": 2097152", Output("qemu-img", "info", "--output=json", "d.qcow2"));
        Qemu("qemu-io", "-c", "read -P 1 0 2M", "d.qcow2");
    }

    string Output(string program, params string[] line) => Programs.Run(_folder.Path, program, line).Expect(0).Output;

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
