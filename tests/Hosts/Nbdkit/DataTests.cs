// What real clients write is what they, and the file, have afterwards: without a job, where most requests go past the
// engine, and with one, where all go through it.
using System;
using System.IO;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

public sealed class DataTests : IDisposable
{
    const int DiskBytes = 48 << 20;

    readonly DiskFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Nbdcopy_BothWays_KeepsEveryByte(bool hasJob)
    {
        string disk = _folder.Sparse("disk.raw", DiskBytes + 1536);
        byte[] expected = File.ReadAllBytes(_folder.Random("in.raw", DiskBytes + 1536));
        using PluginServer server = Serve(disk, hasJob);
        DiskFolder.Run("nbdcopy", "--flush", _folder["in.raw"], server.Uri("disk"));
        DiskFolder.Run("nbdcopy", server.Uri("disk"), _folder["out.raw"]);
        DiskFolder.AssertEqual(expected, _folder.Bytes("out.raw"));
        server.End();
        DiskFolder.AssertEqual(expected, _folder.Bytes("disk.raw"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void QemuIo_Patterns_AreExactToTheByte(bool hasJob)
    {
        byte[] expected = File.ReadAllBytes(_folder.Random("disk.raw", DiskBytes));
        using PluginServer server = Serve(_folder["disk.raw"], hasJob);
        (ulong Offset, uint Length)[] places =
        [
            (4096, 4096),
            (512, 1024),
            (1_000_001, 77),
            (2_097_151, 2),
            (4 << 20, 3 << 20),
            ((8 << 20) + 5, (5 << 20) + 1),
            (DiskBytes - 3, 3),
        ];
        byte pattern = 1;
        foreach ((ulong offset, uint length) in places)
        {
            string range = $"{offset} {length}";
            foreach (string write in (string[])["write", "write -f"])
            {
                Span(expected, offset, length).Fill(++pattern);
                DiskFolder.QemuIo(
                    server.Uri(""),
                    $"{write} -P {pattern} {range}",
                    $"read -P {pattern} {range}",
                    "flush"
                );
            }
            DiskFolder.AssertEqual(expected, Fetch(server, "after.raw"));
        }
        foreach (string zero in (string[])["write -z", "write -z -u", "write -z -f"])
        foreach ((ulong offset, uint length) in places)
        {
            DiskFolder.QemuIo(server.Uri(""), $"write -P {++pattern} {offset} {length}", $"{zero} {offset} {length}");
            Span(expected, offset, length).Clear();
        }
        DiskFolder.AssertEqual(expected, Fetch(server, "zeroed.raw"));
        DiskFolder.QemuIo(server.Uri(""), "discard 16M 8M", "read -P 0 16M 8M");
        Span(expected, 16 << 20, 8 << 20).Clear();
        server.End();
        DiskFolder.AssertEqual(expected, _folder.Bytes("disk.raw"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Fio_VerifiesWhatItWrote(bool hasJob)
    {
        using PluginServer server = Serve(_folder.Random("disk.raw", DiskBytes), hasJob);
        foreach (string size in (string[])["4k", "512-64k"])
            DiskFolder.Fio(
                server.Uri("disk"),
                "randwrite",
                "--bsrange=" + (size == "4k" ? "4k-4k" : size),
                "--bs_unaligned=" + (size == "4k" ? "0" : "1"),
                "--size=32m",
                "--verify=crc32c",
                "--verify_fatal=1",
                "--do_verify=1"
            );
        server.End();
    }

    [Fact]
    public void QemuImg_ComparesAndConverts_FromBothExports()
    {
        byte[] before = File.ReadAllBytes(_folder.Random("disk.raw", DiskBytes));
        using PluginServer server = Serve(_folder["disk.raw"], hasJob: true);
        File.WriteAllBytes(_folder["t0.raw"], before);
        DiskFolder.QemuIo(server.Uri("disk"), "write -P 9 1M 2M", "write -z 20M 1M", "discard 30M 3M");
        DiskFolder.Run("qemu-img", "compare", "-f", "raw", "-F", "raw", server.Uri("snapshot"), _folder["t0.raw"]);
        string[] live = ["compare", "-f", "raw", "-F", "raw", server.Uri("disk"), _folder["t0.raw"]];
        Assert.Equal(1, ToolRun.Of("qemu-img", live).ExitCode);
        foreach (string export in (string[])["snapshot", "disk"])
            DiskFolder.Run(
                "qemu-img",
                "convert",
                "-f",
                "raw",
                "-O",
                "raw",
                server.Uri(export),
                _folder[export + ".img"]
            );
        server.End();
        DiskFolder.AssertEqual(before, _folder.Bytes("snapshot.img"));
        DiskFolder.AssertEqual(_folder.Bytes("disk.raw"), _folder.Bytes("disk.img"));
    }

    [Fact]
    public void FastZero_IsTakenWhereItIsFast_AndRefusedWhereZeroesWouldBeWritten()
    {
        string shared = Path.Combine("/dev/shm", Path.GetFileName(_folder.Path) + ".raw");
        Requires.SystemPath("/dev/shm");
        foreach (string disk in (string[])[_folder.Sparse("disk.raw", DiskBytes), shared])
            try
            {
                using (FileStream file = new(disk, FileMode.OpenOrCreate))
                    file.SetLength(DiskBytes);
                bool isInMemory = disk == shared;
                using PluginServer server = new(_folder.Path, disk, "cache=" + (isInMemory ? "page" : "direct"));
                string[] zero = ["-f", "raw", "-c", "write -P 3 0 2M", "-c", "write -z -n 0 1M", server.Uri("")];
                ToolRun run = ToolRun.Of("qemu-io", zero);
                string system = DiskFolder.Run("stat", "-f", "-c", "%T", disk);
                bool isFast = system is "ext2/ext3" or "xfs" or "btrfs";
                Assert.True(isFast == (run.ExitCode == 0), $"{system}: {run.Output}");
                Assert.True(isFast || run.Output.Contains("not supported", StringComparison.Ordinal), run.Output);
                DiskFolder.QemuIo(server.Uri(""), $"read -P {(isFast ? 0 : 3)} 0 1M", "read -P 3 1M 1M");
                server.End();
            }
            finally
            {
                File.Delete(disk);
            }
    }

    [Fact]
    public void Requests_PastTheEnd_AreRefusedAndChangeNothing()
    {
        byte[] before = File.ReadAllBytes(_folder.Random("disk.raw", DiskBytes));
        using PluginServer server = Serve(_folder["disk.raw"], hasJob: false);
        using RawConnection client = new(server, "disk");
        Assert.Equal((ulong)DiskBytes, client.SizeBytes);
        Assert.NotEqual(0u, client.ReadAt(DiskBytes - 512, 1024, out _));
        Assert.NotEqual(0u, client.ReadAt(ulong.MaxValue - 511, 512, out _));
        Assert.NotEqual(0u, client.WriteAt(DiskBytes - 512, new byte[1024]));
        Assert.NotEqual(0u, client.WriteAt(DiskBytes, new byte[1]));
        Assert.Equal(0u, client.ReadAt(DiskBytes - 512, 512, out byte[] last));
        DiskFolder.AssertEqual(before[^512..], last);
        client.Dispose(); // nbdkit ends when its clients have hung up
        server.End();
        DiskFolder.AssertEqual(before, _folder.Bytes("disk.raw"));
    }

    [Fact]
    public void Flush_OnOneConnection_CoversWritesOfAnother()
    {
        using PluginServer server = Serve(_folder.Random("disk.raw", DiskBytes), hasJob: false);
        using RawConnection writer = new(server, "disk");
        using RawConnection flusher = new(server, "disk");
        using RawConnection reader = new(server, "");
        byte[] aligned = [.. System.Linq.Enumerable.Repeat((byte)0x5A, 8192)];
        byte[] odd = [.. System.Linq.Enumerable.Repeat((byte)0xA5, 1001)];
        Assert.Equal(0u, writer.WriteAt(1 << 20, aligned));
        Assert.Equal(0u, writer.WriteAt((2 << 20) + 7, odd));
        Assert.Equal(0u, flusher.FlushAll());
        Assert.Equal(0u, reader.ReadAt(1 << 20, 8192, out byte[] first));
        Assert.Equal(0u, reader.ReadAt((2 << 20) + 7, 1001, out byte[] second));
        DiskFolder.AssertEqual(aligned, first);
        DiskFolder.AssertEqual(odd, second);
        // The kernel's own view past the page cache: nothing of it is only in memory.
        string[] read = ["if=" + _folder["disk.raw"], "iflag=direct", "bs=4096", "skip=256", "count=2"];
        DiskFolder.Run("dd", [.. read, "of=" + _folder["direct.raw"]]);
        DiskFolder.AssertEqual(aligned, _folder.Bytes("direct.raw"));
        foreach (RawConnection client in (RawConnection[])[writer, flusher, reader])
            client.Dispose();
        server.End();
    }

    PluginServer Serve(string disk, bool hasJob) =>
        hasJob ? new(_folder.Path, disk, "fleece=" + _folder.Path) : new(_folder.Path, disk);

    byte[] Fetch(PluginServer server, string name)
    {
        File.Delete(_folder[name]);
        DiskFolder.Run("nbdcopy", server.Uri("disk"), _folder[name]);
        return _folder.Bytes(name);
    }

    static Span<byte> Span(byte[] bytes, ulong offset, uint length) => bytes.AsSpan((int)offset, (int)length);
}
