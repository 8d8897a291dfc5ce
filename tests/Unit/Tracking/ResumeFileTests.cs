// The record of an unfinished copy as a file: the last whole one counts, whatever became of the other, and what is no
// record of ours is none.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using FastBackup.Tracking.Resume;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class ResumeFileTests : IDisposable
{
    const ulong DiskBytes = 700 * Units.MiB + 512;
    const uint Cluster = 4096;

    readonly TempFolder _folder = new();
    readonly Engine _engine;
    readonly FileDevice _disk;
    readonly FileDevice _target;

    public ResumeFileTests()
    {
        EngineOptions options = new() { BufferBytes = 8 * Units.MiB };
        Assert.True(Engine.TryOpen(options, out Engine? engine).IsNone);
        _engine = engine!;
        _disk = Create("disk");
        _target = Create("target");
    }

    public void Dispose()
    {
        _engine.Reactor.Invoke(() =>
        {
            _disk.Dispose();
            _target.Dispose();
        });
        _engine.Dispose();
        _folder.Dispose();
    }

    FileDevice Create(string name)
    {
        FileOpenOptions options = new() { Path = _folder[name], CreateBytes = DiskBytes };
        Assert.True(DeviceOpener.TryOpen(_engine.Reactor, options, out FileDevice? device).IsNone);
        return device!;
    }

    CopySubject Subject(string point = "")
    {
        Assert.True(
            CopySubject
                .TryTake(
                    _disk.Fd,
                    _disk.Limits.CapacityBytes,
                    _target.Fd,
                    Cluster,
                    (point, 77),
                    out CopySubject? subject
                )
                .IsNone
        );
        return subject!;
    }

    ResumeFile Open()
    {
        FileStream file = new(_folder["record"], FileMode.OpenOrCreate, FileAccess.ReadWrite);
        int fd = LinuxFile.Reopen((int)file.SafeFileHandle.DangerousGetHandle(), Files.O_RDWR);
        file.Dispose();
        Assert.True(fd >= 0);
        return new ResumeFile(fd);
    }

    static HierarchicalBitmap Left(params ulong[] clusters)
    {
        HierarchicalBitmap left = HierarchicalBitmap.Create(DiskBytes, Cluster);
        foreach (ulong cluster in clusters)
            left.SetBits(cluster, 1);
        return left;
    }

    void Write(params HierarchicalBitmap[] records)
    {
        using ResumeFile file = Open();
        foreach (HierarchicalBitmap left in records)
            Assert.True(file.Write(Subject("tuesday"), left).IsNone);
    }

    /// <returns>The number of the only cluster that is left; null: there is no record.</returns>
    ulong? Read()
    {
        using ResumeFile file = Open();
        if (!file.TryRead(out CopySubject? subject, out HierarchicalBitmap? left))
            return null;
        Assert.Equal(("tuesday", 77ul), (subject!.Point, subject.PointNs));
        Assert.True(subject.IsUnchanged(Subject()));
        Assert.Equal(1ul, left!.CountBits());
        return left.NextDirtyBit(0, left.BitCount);
    }

    void Damage(long at)
    {
        using FileStream file = File.Open(_folder["record"], FileMode.Open);
        file.Position = at;
        int was = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(was ^ 16));
    }

    [Fact]
    public void TheLastRecordCounts_AlsoAfterAnotherOpen()
    {
        Assert.Null(Read());
        Write(Left(1));
        Assert.Equal(1ul, Read());
        Write(Left(2), Left(179_200));
        Assert.Equal(179_200ul, Read());
        using (ResumeFile file = Open())
        {
            Assert.True(file.TryRead(out _, out _));
            Assert.True(file.Write(Subject("tuesday"), Left(4)).IsNone); // in the place of the older one
        }
        Assert.Equal(4ul, Read());
    }

    [Theory]
    [InlineData(0)] // checksum of the head
    [InlineData(5)] // magic
    [InlineData(12)] // version
    [InlineData(17)] // sequence
    [InlineData(25)] // checksum of the bits
    [InlineData(33)] // disk
    [InlineData(80)] // its identity
    [InlineData(170)] // name
    [InlineData(4000)] // nothing
    [InlineData(4096)] // bits
    [InlineData(20_000)]
    public void ADamagedRecord_LeavesTheOneBefore(int at)
    {
        Write(Left(1), Left(2), Left(3)); // the third is where the first was
        long slotBytes = new FileInfo(_folder["record"]).Length / 2;
        Damage(at);
        Assert.Equal(2ul, Read());
        Damage(slotBytes + at);
        Assert.Null(Read());
    }

    [Fact]
    public void AFileThatWasCut_OrIsNoneOfOurs_IsNoRecord()
    {
        Write(Left(1), Left(2));
        using (FileStream file = File.Open(_folder["record"], FileMode.Open))
            file.SetLength(file.Length - 4096);
        Assert.Null(Read());
        File.WriteAllBytes(_folder["record"], new byte[100_000]);
        Assert.Null(Read());
    }

    [Fact]
    public void ADiskThatWasWrittenTo_OrAnotherOne_IsSeen()
    {
        CopySubject before = Subject();
        Assert.True(before.IsOfSame(Subject()));
        Assert.True(before.IsUnchanged(Subject()));
        File.SetLastWriteTimeUtc(_folder["disk"], DateTime.UtcNow.AddSeconds(5));
        Assert.True(before.IsOfSame(Subject()));
        Assert.False(before.IsUnchanged(Subject()));
        Assert.True(
            CopySubject
                .TryTake(_target.Fd, _target.Limits.CapacityBytes, _disk.Fd, Cluster, ("", 0), out CopySubject? swapped)
                .IsNone
        );
        Assert.False(before.IsOfSame(swapped!));
    }
}
