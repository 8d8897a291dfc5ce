// The jobs that the plugin starts itself: what they copy, what the snapshot shows, and what is left when they end.
using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using FastBackup.Tests.Hosts.Monitor;
using FastBackup.Tests.Nbd;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

public sealed class BackupTests : IDisposable
{
    const int DiskBytes = 64 << 20;
    const int GuestBytes = 48 << 20;

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    readonly DiskFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Backup_WhileAGuestWrites_EqualsTheDiskAsItWasAtTheStart()
    {
        byte[] before = File.ReadAllBytes(_folder.Random("disk.raw", DiskBytes));
        string monitorPath = _folder["m.sock"];
        using PluginServer server = Start(
            "backup=" + _folder["copy.raw"],
            "speed=64K",
            "scratch=" + _folder.Path,
            "monitor=" + monitorPath
        );
        server.Wait(() => File.Exists(_folder["copy.raw.partial"]), Limit);
        Write(server);
        // However long the guest took, what it wrote came before most of the backup: that hurries only now.
        Assert.True(File.Exists(_folder["copy.raw.partial"]), "the backup was over before the guest: it shows nothing");
        using (QmpConnection monitor = QmpConnection.To(monitorPath))
            _ = monitor.Run("block-job-set-speed", ("device", "disk"), ("speed", 0));
        server.Wait(() => File.Exists(_folder["copy.raw"]), Limit);
        server.End();
        DiskFolder.AssertEqual(before, _folder.Bytes("copy.raw"));
        Assert.False(before.AsSpan().SequenceEqual(_folder.Bytes("disk.raw")), "the guest has written nothing");
        Assert.Equal(["copy.raw", "disk.raw"], Files());
    }

    [Fact]
    public void Backup_AtConnect_IsOfTheMomentOfTheFirstClient()
    {
        byte[] before = File.ReadAllBytes(_folder.Random("disk.raw", DiskBytes));
        using PluginServer server = Start("backup=" + _folder["copy.raw"], "at=connect");
        Assert.Equal(["disk.raw"], Files());
        Write(server);
        server.Wait(() => File.Exists(_folder["copy.raw"]), Limit);
        server.End();
        DiskFolder.AssertEqual(before, _folder.Bytes("copy.raw"));
    }

    [Fact]
    public void Backup_WithDelay_IsOfThatMoment_AndLetsGuestsGoTheShortWayBefore()
    {
        _folder.Random("disk.raw", DiskBytes);
        using PluginServer server = Start("backup=" + _folder["copy.raw"], "delay=2", "bitmap=changes");
        DiskFolder.QemuIo(server.Uri(""), "write -P 7 0 1M");
        byte[] before = _folder.Bytes("disk.raw");
        Assert.Equal(["disk.raw"], Files());
        server.Wait(() => File.Exists(_folder["copy.raw.partial"]) || File.Exists(_folder["copy.raw"]), Limit);
        DiskFolder.QemuIo(server.Uri(""), "write -P 8 0 64M");
        server.Wait(() => File.Exists(_folder["copy.raw"]), Limit);
        server.End();
        DiskFolder.AssertEqual(before, _folder.Bytes("copy.raw"));
    }

    [Fact]
    public void SyncTop_CopiesWhatIsAllocated()
    {
        using (FileStream disk = new(_folder.Sparse("disk.raw", DiskBytes), FileMode.Open))
        {
            disk.Position = 8 << 20;
            disk.Write(
                new byte[1 << 20]
                    .Select(_ => (byte)7)
                    .ToArray()
            );
        }
        byte[] before = _folder.Bytes("disk.raw");
        using PluginServer server = Start("backup=" + _folder["copy.raw"], "sync=top");
        server.Wait(() => File.Exists(_folder["copy.raw"]), Limit);
        server.End();
        DiskFolder.AssertEqual(before, _folder.Bytes("copy.raw"));
        int blocks = int.Parse(DiskFolder.Run("stat", "-c", "%b", _folder["copy.raw"]), null);
        Assert.True(blocks * 512 < DiskBytes / 8, $"{blocks} blocks of 512 bytes are allocated");
    }

    [Fact]
    public async Task Snapshot_WhileAGuestWrites_IsTheDiskAsItWas()
    {
        byte[] before = File.ReadAllBytes(_folder.Random("disk.raw", DiskBytes));
        using PluginServer server = Start("fleece=" + _folder.Path);
        Task guest = Task.Run(() => Write(server), TestContext.Current.CancellationToken);
        for (int round = 0; round == 0 || !guest.IsCompleted; round++)
        {
            DiskFolder.Run("nbdcopy", server.Uri("snapshot"), _folder["view.raw"]);
            DiskFolder.AssertEqual(before, _folder.Bytes("view.raw"));
            File.Delete(_folder["view.raw"]);
        }
        await guest;
        DiskFolder.Run("nbdcopy", server.Uri("snapshot"), _folder["view.raw"]);
        server.End();
        DiskFolder.AssertEqual(before, _folder.Bytes("view.raw"));
        Assert.False(before.AsSpan().SequenceEqual(_folder.Bytes("disk.raw")), "the guest has written nothing");
        Assert.Equal(["disk.raw", "view.raw"], Files());
    }

    [Fact]
    public void Snapshot_WhoseJobHasEnded_FailsItsReadsFromThenOn()
    {
        byte[] before = File.ReadAllBytes(_folder.Random("disk.raw", DiskBytes));
        using PluginServer server = Start("backup=" + _folder["copy.raw"], "speed=12M");
        using RawConnection reader = new(server, "snapshot");
        DiskFolder.QemuIo(server.Uri("disk"), "write -P 5 0 1M");
        Assert.Equal(0u, reader.ReadAt(12345, 4000, out byte[] old));
        DiskFolder.AssertEqual(before[12345..16345], old);
        server.Wait(() => File.Exists(_folder["copy.raw"]), Limit);
        for (int i = 0; i < 3; i++)
            Assert.Contains(reader.ReadAt(12345, 4000, out _), new[] { NbdWire.ErrorIo, RawConnection.ShutDown });
        reader.Dispose();
        DiskFolder.QemuIo(server.Uri("disk"), "read -P 5 0 1M");
        server.End();
    }

    [Fact]
    public void SigTerm_WithARunningJob_EndsAtOnceAndLeavesNothingThatLooksWhole()
    {
        _folder.Random("disk.raw", DiskBytes);
        using PluginServer server = Start("backup=" + _folder["copy.raw"], "speed=4M", "scratch=" + _folder.Path);
        using (RawConnection client = new(server, "disk"))
            Assert.Equal(0u, client.WriteAt(32 << 20, new byte[65536]));
        TimeSpan took = server.End();
        Assert.True(took < TimeSpan.FromSeconds(3), $"it took {took}");
        Assert.Equal(["copy.raw.partial", "disk.raw"], Files());
    }

    PluginServer Start(params string[] arguments) => new(_folder.Path, [_folder["disk.raw"], .. arguments]);

    /// <summary>A second of random writes, verified.</summary>
    static void Write(PluginServer server) =>
        DiskFolder.Fio(
            server.Uri("disk"),
            "randwrite",
            "--size=" + GuestBytes,
            "--io_size=24m",
            "--verify=crc32c",
            "--verify_fatal=1"
        );

    string[] Files() => [.. _folder.Names().Where(name => !name.EndsWith(".sock", StringComparison.Ordinal)).Order()];
}
