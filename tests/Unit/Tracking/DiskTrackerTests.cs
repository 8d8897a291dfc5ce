// Trackers beside real files: what is there after each kind of end, and what is refused.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Tests.Storage;
using FastBackup.Tests.Unit.Filter;
using FastBackup.Tracking.Format;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

[Trait("Length", "Long")] // not in the quick check
public sealed class DiskTrackerTests : IDisposable
{
    readonly TrackedFile _disk = new();

    public void Dispose() => _disk.Dispose();

    [Fact]
    public void NewTracker_NamesEverything() => Assert.Equal("exact: all", _disk.Read());

    [Fact]
    public void AfterReset_NothingHasChanged_AndThenWhatIsWritten()
    {
        _disk.Read(mayReset: true);
        Assert.Equal("exact:", _disk.Read());
        _disk.Attach();
        _disk.Write(3 * TrackedFile.Granule, 100);
        _disk.Write(64 * TrackedFile.Granule, 2 * TrackedFile.Granule);
        _disk.Write(TrackedFile.DiskBytes - 1, 1);
        Assert.True(_disk.End().IsNone);
        Assert.Equal("exact: 3 64 65 3200", _disk.Read());
        Assert.Empty(_disk.LiveFiles);
    }

    [Fact]
    public void Killed_IsExact_AndGoesOn()
    {
        _disk.Read(mayReset: true);
        _disk.Attach();
        Assert.Single(_disk.LiveFiles);
        _disk.Write(3 * TrackedFile.Granule, 100);
        _disk.Kill();
        Assert.Equal("exact: 3", _disk.Read());
        _disk.Attach();
        _disk.Write(200 * TrackedFile.Granule, 100);
        _disk.Kill();
        Assert.Equal("exact: 3 200", _disk.Read());
        _disk.Read(mayReset: true);
        Assert.Equal("exact:", _disk.Read());
        Assert.Empty(_disk.LiveFiles);
    }

    [Fact]
    public void LongRuns_AreInTheLiveFile()
    {
        _disk.Read(mayReset: true);
        _disk.Attach();
        _disk.Write(5 * TrackedFile.Granule, 3000 * TrackedFile.Granule); // bits 5 to 3004: edges, and bytes of ones
        _disk.Kill();
        string[] words = _disk.Read().Split(' ');
        Assert.Equal(3001, words.Length);
        Assert.Equal("5", words[1]);
        Assert.Equal("3004", words[^1]);
    }

    [Fact]
    public void KilledWithoutLiveFile_NamesOpenRegions()
    {
        _disk.Read(mayReset: true);
        _disk.Attach();
        _disk.Write(64 * TrackedFile.Granule, 100);
        _disk.Kill();
        File.Delete(Assert.Single(_disk.LiveFiles));
        string[] words = _disk.Read().Split(' ');
        Assert.Equal("durable:", words[0]);
        Assert.Equal("64", words[1]);
        Assert.Equal(64 + 1, words.Length); // one region of 4 MiB
    }

    [Fact]
    public void LiveFileOfAnotherTracker_IsNotBelieved()
    {
        _disk.Read(mayReset: true);
        _disk.Attach();
        _disk.Write(64 * TrackedFile.Granule, 100);
        string live = Assert.Single(_disk.LiveFiles);
        byte[] head = Disks.ReadAll(live);
        _disk.Kill();
        head[32]++; // sequence
        head[32]++;
        File.WriteAllBytes(live, head);
        Assert.StartsWith("durable:", _disk.Read(), StringComparison.Ordinal);
    }

    /// <summary>Anybody may make names in the folder of live files.</summary>
    [Fact]
    public void LiveFileByASymbolicLink_IsNotBelieved()
    {
        _disk.Read(mayReset: true);
        _disk.Attach();
        _disk.Write(64 * TrackedFile.Granule, 100);
        string live = Assert.Single(_disk.LiveFiles);
        _disk.Kill();
        File.Move(live, _disk.DiskPath + ".live");
        File.CreateSymbolicLink(live, _disk.DiskPath + ".live");
        Assert.StartsWith("durable:", _disk.Read(), StringComparison.Ordinal);
    }

    [Fact]
    public void LiveFileThatIsCut_HarmsNobody_AndIsInconsistent()
    {
        _disk.Read(mayReset: true);
        _disk.Attach();
        _disk.Write(0, 100);
        using (FileStream live = new(Assert.Single(_disk.LiveFiles), FileMode.Open, FileAccess.Write))
            live.SetLength(4096);
        _disk.Write(0, 100); // is marked
        _disk.Write(64 * TrackedFile.Granule, 100); // a plain store would have been a signal, and the end
        Assert.True(_disk.Trouble.IsFault);
        Assert.True(_disk.Tracker.IsOver);
        _disk.Kill();
        Assert.Equal("inconsistent", _disk.Read());
    }

    [Fact]
    public void WrittenToByOthersSince_IsForeignWrites_AndAFreshStartHasAll()
    {
        _disk.Read(mayReset: true);
        using (FileStream other = File.OpenWrite(_disk.DiskPath))
            other.WriteByte(1);
        Assert.Equal("foreign-writes", _disk.Read());
        _disk.Attach();
        Assert.Equal(TrackerRefusal.ForeignWrites, _disk.Tracker.RestartReason);
        Assert.True(_disk.End().IsNone);
        Assert.Equal("exact: all", _disk.Read());
    }

    [Fact]
    public void GrownAfterAKill_NamesWhatIsNew()
    {
        _disk.Read(mayReset: true);
        _disk.Attach();
        _disk.Write(3 * TrackedFile.Granule, 100);
        _disk.Kill();
        _disk.Lengthen(TrackedFile.DiskBytes + 2 * TrackedFile.Granule);
        Assert.Equal("exact: 3 3200 3201 3202", _disk.Read());
        _disk.Attach();
        _disk.Write(3202 * TrackedFile.Granule, 100);
        _disk.Write(9 * TrackedFile.Granule, 100);
        _disk.Kill();
        Assert.Equal("exact: 3 9 3200 3201 3202", _disk.Read());
        _disk.Read(mayReset: true);
        Assert.Equal("exact:", _disk.Read());
    }

    /// <summary>What has made it larger may have written to it, and its times do not tell any more.</summary>
    [Fact]
    public void GrownByOthersAfterItsEnd_IsForeign()
    {
        _disk.Read(mayReset: true);
        _disk.Attach();
        _disk.Write(3 * TrackedFile.Granule, 100);
        Assert.True(_disk.End().IsNone);
        _disk.Lengthen(TrackedFile.DiskBytes + 2 * TrackedFile.Granule);
        Assert.Equal("foreign-writes", _disk.Read());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void GrownWhileTracked_HoldsWritesAndGoesOn(bool isKilled)
    {
        const ulong grownBytes = TrackedFile.DiskBytes + 2 * TrackedFile.Granule;
        _disk.Read(mayReset: true);
        _disk.Attach();
        _disk.Write(3 * TrackedFile.Granule, 100);
        _disk.Lengthen(grownBytes);
        GuestProbe? old = null;
        GuestProbe? later = null;
        _disk.Grow(
            grownBytes,
            Fault.None,
            () =>
            {
                old = _disk.Ask(9 * TrackedFile.Granule, 100);
                later = _disk.Ask(grownBytes - 1, 1);
            }
        );
        _disk.AwaitEnd(old!);
        _disk.AwaitEnd(later!);
        Assert.Single(_disk.LiveFiles);
        _disk.Write(11 * TrackedFile.Granule, 100);
        if (isKilled)
            _disk.Kill();
        else
            Assert.True(_disk.End().IsNone);
        Assert.Equal("exact: 3 9 11 3200 3201 3202", _disk.Read());
    }

    [Fact]
    public void GrowthWhoseStorageFails_LetsGuestsGoOn_AndIsInconsistent()
    {
        const ulong grownBytes = TrackedFile.DiskBytes + 2 * TrackedFile.Granule;
        _disk.Read(mayReset: true);
        _disk.Attach();
        _disk.Lengthen(grownBytes);
        GuestProbe? guest = null;
        _disk.Grow(grownBytes, new Fault(FaultKind.Io, 5), () => guest = _disk.Ask(3202 * TrackedFile.Granule, 1));
        _disk.AwaitEnd(guest!);
        Assert.True(_disk.Trouble.IsFault);
        _disk.Write(3202 * TrackedFile.Granule + 1, 100);
        _disk.Kill();
        Assert.Equal("inconsistent", _disk.Read());
        _disk.Attach(); // everything has changed, of the larger disk
        Assert.True(_disk.End().IsNone);
        Assert.Equal("exact: all", _disk.Read());
    }

    [Fact]
    public void GrownAndInconsistent_IsHealedByAFull()
    {
        _disk.Read(mayReset: true);
        using (FileStream other = File.OpenWrite(_disk.DiskPath))
            other.WriteByte(1);
        _disk.Lengthen(TrackedFile.DiskBytes + TrackedFile.Granule);
        Assert.Equal("foreign-writes", _disk.Read(mayReset: true));
        Assert.Equal("exact:", _disk.Read());
        _disk.Attach();
        _disk.Write(3201 * TrackedFile.Granule, 100);
        _disk.Kill();
        Assert.Equal("exact: 3201", _disk.Read());
    }

    [Fact]
    public void AnotherDisk_IsRefused()
    {
        _disk.Read(mayReset: true);
        byte[] tracker = Disks.ReadAll(_disk.TrackerPath);
        File.Move(_disk.DiskPath, _disk.DiskPath + ".old");
        using (FileStream made = File.Create(_disk.DiskPath))
            made.SetLength((long)TrackedFile.DiskBytes);
        Assert.Equal("foreign-disk", _disk.Read());
        OpenRefusal refusal = _disk.TryAttach();
        Assert.Contains("belongs to another disk (foreign-disk)", refusal.Sentence, StringComparison.Ordinal);
        Assert.Equal(tracker, Disks.ReadAll(_disk.TrackerPath));
    }

    [Fact]
    public void OpenTwice_IsRefused()
    {
        _disk.Attach();
        Exception? failure = Record.Exception(() => _disk.Read(mayReset: true));
        Assert.Contains("is being written already", failure!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CopyOfAnOpenFile_HasNoLiveMap()
    {
        _disk.Read(mayReset: true);
        _disk.Attach();
        _disk.Write(64 * TrackedFile.Granule, 100);
        _disk.Kill();
        File.Copy(_disk.TrackerPath, _disk.TrackerPath + ".copy");
        File.Move(_disk.TrackerPath + ".copy", _disk.TrackerPath, overwrite: true);
        Assert.StartsWith("durable: 64 65", _disk.Read(), StringComparison.Ordinal);
    }
}
