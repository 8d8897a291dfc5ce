// A point in time as a disk for NBD clients: read, written over, kept apart, and where the repository is damaged.
using System;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Threading;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class MountTests : IDisposable
{
    const int Mebi = 1 << 20;
    const string Uri = "nbd+unix:///disk.img?socket=s";

    /// <summary>As qemu-io has them: aligned, not aligned, over chunks' ends, zeroes, the last bytes.</summary>
    static readonly string[] Writes =
    [
        "write -P 7 3M 100k",
        "write -P 8 3145841 513",
        "write -z 5M 2M",
        "write -P 9 9961472 1048576",
        "write -P 5 12580000 3000",
        "discard 1M 64k",
        "write -P 3 20971000 520",
    ];

    readonly RepositoryFolder _repo = new();

    public MountTests()
    {
        Disks.Sparse(_repo["disk.img"], 20 * Mebi, (0, 4 * Mebi), (9 * Mebi + 13, 3 * Mebi), (20 * Mebi - 777, 777));
        _repo.Init();
        _repo.Fastbackup("backup disk.img --repo REPO --chunk 256KiB").Expect(0);
    }

    public void Dispose() => _repo.Dispose();

    [Fact]
    public void Clients_ReadThePointAndItsHoles()
    {
        Disks.Copy(_repo["disk.img"], _repo["t0.img"]);
        TrackedImage.Touch(_repo["disk.img"], 5, 99);
        _repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
        string first = _repo.Points()[0];
        using (RunningProgram server = Mount("--at", first))
        {
            string map = Tool("nbdinfo", "--map", Uri);
            Assert.Matches(@"^\s+0\s+4194304\s+0\s+data\n\s+4194304\s+5242880\s+3\s+hole,zero\n", map);
            Assert.Contains("is_read_only: true", Tool("nbdinfo", Uri));
            _ = Tool("nbdcopy", Uri, "copy.img");
            Assert.Contains("identical", Tool("qemu-img", "compare", "-f", "raw", "-F", "raw", Uri, "t0.img"));
            Assert.Equal(1, Run("qemu-io", "-f", "raw", "-c", "write 0 512", Uri).ExitCode);
            Assert.Single(_repo.Files("locks"));
            Assert.Contains("locked", _repo.Fastbackup("repo", "forget", "REPO", first[..12]).Expect(1).Error);
            server.Signal("INT");
            server.Wait().Expect(0);
        }
        Disks.AssertEqual(_repo["t0.img"], _repo["copy.img"]);
        Assert.InRange(Disks.AllocatedBytes(_repo["copy.img"]), Mebi, 9 * Mebi);
        Assert.False(File.Exists(_repo["s"]));
        Assert.Empty(_repo.Files("locks"));
    }

    [Theory]
    [InlineData("--writable")]
    [InlineData("--overlay")]
    public void WhatClientsWrite_IsReadBack_AndThePointStays(string how)
    {
        string[] words = how == "--overlay" ? [how, "over"] : [how, "--scratch", "."];
        using (RunningProgram server = Mount(words))
        {
            Write(Uri, [.. Writes, "flush"]);
            AssertIsModel();
            if (how == "--overlay")
            {
                Assert.Contains(
                    "cannot open overlay 'over'",
                    _repo.Fastbackup("repo mount-nbd REPO --socket s2 --overlay over").Expect(1).Error
                );
                server.Signal("KILL");
                server.Wait().Expect(137);
            }
            else
            {
                server.Signal("TERM");
                server.Wait().Expect(0);
            }
        }
        _repo.AssertRestores("latest", "disk.img");
        if (how == "--writable")
        {
            Assert.Equal(["disk.img", "model.img", "repo"], Names());
            return;
        }
        using (RunningProgram again = Mount(words))
        {
            AssertIsModel();
            again.Signal("INT");
            again.Wait().Expect(0);
        }
        _repo.Fastbackup("repo verify REPO --read-data").Expect(0);
    }

    /// <summary>What a client was told to be flushed is there, whenever the server is killed.</summary>
    [Fact]
    public void KilledAtAnyMoment_TheOverlayHasWhatWasFlushed()
    {
        byte[] flushed = File.ReadAllBytes(_repo["disk.img"]);
        Random random = new((int)TestSeed.Next());
        for (int round = 0; round < 10; round++)
        {
            using RunningProgram server = Mount("--overlay", "over");
            byte[] now = [.. flushed];
            using Timer killer = new(_ => server.Signal("KILL"));
            using (NbdClient client = new(_repo["s"], "disk.img"))
            {
                Assert.True(Read(client).AsSpan().SequenceEqual(flushed), $"round {round}");
                killer.Change(random.Next(400), Timeout.Infinite);
                try
                {
                    while (true)
                    {
                        int granule = random.Next(now.Length / 4096);
                        byte[] bytes = [.. Enumerable.Repeat((byte)random.Next(256), 4096)];
                        // Of a granule that is not flushed the old or the new content may be there: it is written once.
                        bytes.CopyTo(now, granule * 4096);
                        Ask(client, new NbdRequest(NbdWire.CommandWrite, 0, (ulong)granule * 4096, 4096, bytes));
                        Ask(client, new NbdRequest(NbdWire.CommandFlush, 0, 0, 0, null));
                        now.CopyTo(flushed, 0);
                    }
                }
                catch (Exception exception) when (exception is IOException or SocketException)
                {
                    server.Wait().Expect(137);
                }
            }
            // The one write that was not answered may be there, or not.
            using RunningProgram again = Mount("--overlay", "over");
            using NbdClient reader = new(_repo["s"], "disk.img");
            byte[] found = Read(reader);
            Assert.True(
                found.AsSpan().SequenceEqual(flushed) || found.AsSpan().SequenceEqual(now),
                $"round {round}: something flushed is lost"
            );
            flushed = found;
            again.Signal("KILL");
            again.Wait().Expect(137);
        }
    }

    static void Ask(NbdClient client, NbdRequest request)
    {
        client.Start(request);
        client.Finish();
        Assert.Equal(0u, request.Error);
    }

    static byte[] Read(NbdClient client)
    {
        byte[] all = new byte[client.SizeBytes];
        for (int at = 0; at < all.Length; at += Mebi)
        {
            byte[] part = new byte[Math.Min(Mebi, all.Length - at)];
            Ask(client, new NbdRequest(NbdWire.CommandRead, 0, (ulong)at, (uint)part.Length, part));
            part.CopyTo(all, at);
        }
        return all;
    }

    [Fact]
    public void OverlayThatIsNone_OrOfAnotherPoint_IsLeftAlone()
    {
        Disks.Copy(_repo["disk.img"], _repo["other.img"]);
        Mounted("--overlay other.img").ExpectSentence("'other.img' exists and is no overlay; give the name of a new");
        Disks.AssertEqual(_repo["disk.img"], _repo["other.img"]);
        using (RunningProgram server = Mount("--overlay", "over"))
        {
            server.Signal("INT");
            server.Wait().Expect(0);
        }
        _repo.Fastbackup("backup disk.img --repo REPO --disk disk.img").Expect(0);
        Mounted("--overlay over").ExpectSentence("overlay 'over' lies over '", "/disk.img' of point ");
        Mounted("--at deadbeef --overlay new").ExpectSentence("has no point 'deadbeef'");
        File.WriteAllText(_repo["taken"], "");
        _repo.Fastbackup("repo mount-nbd REPO --socket taken --overlay new").Expect(1);
        Assert.False(File.Exists(_repo["new"]));
        Assert.Empty(_repo.Files("locks"));
    }

    [Fact]
    public void DamagedChunk_IsAnErrorThereOnly_AndSaidOnce()
    {
        string pack = _repo.Files("data").MaxBy(name => new FileInfo(name).Length)!;
        File.SetUnixFileMode(pack, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        TrackedImage.Touch(pack, 100_000, 0xa5);
        using RunningProgram server = Mount();
        string[] reads = [.. Enumerable.Range(0, 80).SelectMany(i => (string[])["-c", $"read {i * 256}k 256k"])];
        string read = Run("qemu-io", ["-r", "-f", "raw", .. reads, .. reads, Uri]).Output;
        Assert.Equal(2, read.Split("read failed: Input/output error").Length - 1);
        int bad = Enumerable
            .Range(0, 80)
            .Single(i => !read.Contains($"at offset {i * 262144}\n", StringComparison.Ordinal));
        server.Signal("INT");
        string said = server.Wait().Expect(0).Error;
        Assert.Equal(1, said.Split("cannot be read at offset").Length - 1);
        Assert.Contains($"cannot be read at offset {bad * 262144} for 262144 bytes: blob", said);
    }

    [Fact]
    public void FileOfItsFileSystem_IsReadThroughAMount()
    {
        Requires.Command("debugfs");
        Requires.Command("qemu-storage-daemon");
        Directory.CreateDirectory(_repo["files"]);
        File.WriteAllText(_repo["files/letter"], "dear all");
        _ = Tool("mke2fs", "-q", "-t", "ext4", "-d", "files", "ext4.img", "16M");
        _repo.Fastbackup("backup ext4.img --repo REPO").Expect(0);
        using RunningProgram server = Mount("--disk", "ext4.img");
        File.WriteAllText(_repo["as-file"], "");
        using RunningProgram fuse = new(
            _repo.Path,
            "qemu-storage-daemon",
            [
                "--blockdev",
                "nbd,node-name=n,server.type=unix,server.path=s,export=ext4.img,read-only=on",
                "--export",
                "fuse,id=f,node-name=n,mountpoint=as-file",
            ]
        );
        Eventually.True(() => fuse.HasExited || new FileInfo(_repo["as-file"]).Length > 0);
        Assert.Equal("dear all", Tool("debugfs", "-R", "cat /letter", "as-file"));
        fuse.Signal("TERM");
        fuse.Wait().Expect(0);
        server.Signal("INT");
        server.Wait().Expect(0);
    }

    string[] Names() => [.. Directory.GetFileSystemEntries(_repo.Path).Select(Path.GetFileName).Order()!];

    ProgramResult Mounted(string more) => _repo.Fastbackup("repo mount-nbd REPO --socket s " + more).Expect(1);

    void AssertIsModel()
    {
        Disks.Copy(_repo["disk.img"], _repo["model.img"]);
        Write("model.img", Writes);
        Assert.Contains("identical", Tool("qemu-img", "compare", "-f", "raw", "-F", "raw", Uri, "model.img"));
    }

    void Write(string disk, string[] commands) =>
        _ = Tool("qemu-io", ["-f", "raw", "-d", "unmap", .. commands.SelectMany(one => (string[])["-c", one]), disk]);

    RunningProgram Mount(params string[] more)
    {
        File.Delete(_repo["s"]);
        RunningProgram server = _repo.Start(["repo", "mount-nbd", "REPO", "--socket", "s", .. more]);
        Eventually.True(() => server.Output.Contains("Ctrl-C", StringComparison.Ordinal) || server.HasExited);
        return server;
    }

    string Tool(string name, params string[] words) => Run(name, words).Expect(0).Output;

    ProgramResult Run(string name, params string[] words)
    {
        Requires.Command(name);
        return Programs.Run(_repo.Path, name, words);
    }
}
