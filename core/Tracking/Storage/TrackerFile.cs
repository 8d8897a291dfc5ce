// A tracker file that is open: made beside a disk, read, begun and closed, and reset when a backup has what it names.
// It is opened by the rules for disks: a regular file or block device, locked for as long as somebody tracks, so that
// it is not opened twice. All here waits for storage; what happens while guests write is WriteTracker's, on the loop.
//
//   nobody         TryCreate       closed, everything changed: no backup has been made
//                  Expect          waits for an import (Move)
//   offline        Read, Reset     what changed; and that it was backed up
//                  AddPoint, DeletePoint, MoveBase
//   for a disk     Begin, End      see TrackerSteps
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Live;
using FastBackup.Tracking.Move;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Store;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: one, that may wait; disposed of on the loop's.</summary>
public sealed class TrackerFile : ITrackerStorage, IDisposable
{
    const int GranuleShiftUsual = 16;
    const uint InFlightMax = 64;

    readonly FileDevice _device;
    DescriptorReader _reader;

    TrackerFile(FileDevice device)
    {
        _device = device;
        _reader = new DescriptorReader(device.Fd, 0, device.Limits.CapacityBytes);
    }

    public string Path => _device.Name;

    /// <summary>Where live maps are; another one in tests.</summary>
    public string LiveFolder { get; init; } = LiveFile.DefaultFolder;

    internal FileDevice Device => _device;

    /// <summary>Opens what is there.</summary>
    /// <param name="loop">Drives the file.</param>
    /// <param name="path">Its path.</param>
    /// <param name="isReadOnly">For a look: then it may be open elsewhere.</param>
    /// <param name="file">The file, or null when refused.</param>
    public static OpenRefusal TryOpen(IIoLoop loop, string path, bool isReadOnly, out TrackerFile? file)
    {
        file = null;
        if (!SystemPort.Current.KnowsDisks)
            return NotHere();
        OpenRefusal refusal = DeviceOpener.TryOpen(loop, Options(path, isReadOnly), out FileDevice? device);
        if (refusal.IsNone)
            file = new TrackerFile(device!);
        return refusal.IsNone ? default : refusal with { Sentence = $"tracker: {refusal.Sentence}" };
    }

    /// <summary>Makes a new file, for which everything has changed.</summary>
    /// <param name="loop">Drives the file.</param>
    /// <param name="path">Nothing is there.</param>
    /// <param name="disk">The disk, nobody writes to it.</param>
    /// <param name="trackerId">Chance.</param>
    /// <param name="granuleBytes">A power of two, 4 KiB to 4 MiB; 0: 64 KiB.</param>
    /// <param name="file">The file, closed for tracking, open for whoever asked; null when refused.</param>
    public static OpenRefusal TryCreate(
        IIoLoop loop,
        string path,
        FileDevice disk,
        UInt128 trackerId,
        ulong granuleBytes,
        out TrackerFile? file
    )
    {
        file = null;
        if (!SystemPort.Current.KnowsDisks)
            return NotHere();
        int shift = granuleBytes == 0 ? GranuleShiftUsual : System.Numerics.BitOperations.Log2(granuleBytes);
        TrackerShape shape = new(disk.Limits.CapacityBytes, shift, TrackerShape.RegionShiftUsual);
        if (!shape.IsLegal)
            return OpenRefusal.Rule($"a disk of {shape.DiskBytes} bytes cannot be tracked; it is empty or too large");
        TrackerArea[] areas = HeaderRules.Place(shape, mapId: 1, isLiveElsewhere: true);
        OpenRefusal refusal = TryMake(loop, path, areas[^1].EndBytes, out TrackerFile? made);
        if (!refusal.IsNone)
            return refusal;
        Fault fault = made!.Fill(shape, areas, disk, trackerId);
        if (fault.IsNone)
        {
            file = made;
            return default;
        }
        _ = made.RemoveName();
        made.Dispose();
        return OpenRefusal.Of(path, "write tracker", fault);
    }

    /// <summary>Makes a new file that is to become a tracker by an import.</summary>
    /// <param name="loop">Drives the file.</param>
    /// <param name="path">Nothing is there.</param>
    /// <param name="word">Chance: for whoever has the tracker now.</param>
    public static OpenRefusal Expect(IIoLoop loop, string path, MoveWord word)
    {
        if (!SystemPort.Current.KnowsDisks)
            return NotHere();
        OpenRefusal refusal = TryMake(loop, path, HeaderBytes.AreasAt, out TrackerFile? made);
        if (!refusal.IsNone)
            return refusal;
        Fault fault = TrackerMove.Await(made!, word);
        if (fault.IsNone)
            fault = NamedFile.FlushFolder(path);
        if (fault.IsFault)
            _ = made!.RemoveName();
        made!.Dispose();
        return fault.IsNone ? default : OpenRefusal.Of(path, "write tracker", fault);
    }

    static OpenRefusal TryMake(IIoLoop loop, string path, ulong sizeBytes, out TrackerFile? file)
    {
        OpenRefusal refusal = DeviceOpener.TryOpen(
            loop,
            Options(path, false) with
            {
                CreateBytes = sizeBytes,
            },
            out FileDevice? device
        );
        file = refusal.IsNone ? new TrackerFile(device!) : null;
        return refusal.IsNone ? default : refusal with { Sentence = $"tracker: {refusal.Sentence}" };
    }

    /// <summary>Takes the file's name away, unless it is another file's by now.</summary>
    public Fault RemoveName() => NamedFile.Remove(Path, _device.Fd);

    /// <summary>It is a tracker, or waits to become one by an import.</summary>
    public bool IsTracker => TrackerRecovery.ChooseHeader(this).Refusal != TrackerRefusal.NotATracker;

    static OpenRefusal NotHere() => OpenRefusal.Rule("there are no trackers on this system yet");

    static FileOpenOptions Options(string path, bool isReadOnly) =>
        new()
        {
            Path = path,
            IsReadOnly = isReadOnly,
            IsDirect = false, // a kill leaves what was written; a flush is what makes it durable
            Format = FormatRule.Raw,
            InFlightMax = InFlightMax,
        };

    Fault Fill(in TrackerShape shape, TrackerArea[] areas, FileDevice disk, UInt128 trackerId)
    {
        Fault fault = DiskFacts.TryIdentify(disk.Fd, out Digest32 diskId);
        DiskStamp stamp = default;
        if (fault.IsNone)
            fault = DiskFacts.TryStampForGood(disk.Fd, shape.DiskBytes, out stamp);
        if (fault.IsFault)
            return fault;
        TrackerHeader header = new()
        {
            TrackerId = trackerId,
            Sequence = 1,
            Shape = shape,
            DiskId = diskId,
            State = TrackerState.Inconsistent,
            IsLiveElsewhere = true,
            MapId = 1,
            LastMapId = 1,
            Areas = areas,
        };
        using HierarchicalBitmap all = HierarchicalBitmap.Create(shape.DiskBytes, shape.GranuleBytes);
        all.SetAll();
        return TrackerSteps.Reset(this, header, all, sequence: 0, stamp);
    }

    /// <summary>What the file says about this disk now.</summary>
    /// <returns>None; or why disk or file could not be asked at all.</returns>
    public OpenRefusal Read(FileDevice disk, out TrackedChanges? changes)
    {
        changes = null;
        if (disk.Kin is { } kin && _device.Kin is { } own && own.Shares(kin))
            return OpenRefusal.Rule($"tracker '{Path}' is the disk itself; give another file");
        TrackerWorld world = default;
        HeaderCopy header = TrackerRecovery.ChooseHeader(this);
        Fault fault = TryGetWorld(disk, header.Header, out world, out uint ownerId);
        if (fault.IsFault)
            return OpenRefusal.Of(disk.Name, "examine", fault);
        LiveImage? live = null;
        LiveImage? next = null;
        (int liveFd, int nextFd) = (-1, -1);
        if (header.Header is { } known)
        {
            live = LiveFile.TryFind(LiveFolder, known.TrackerId, ownerId, isNext: false, out liveFd);
            next = LiveFile.TryFind(LiveFolder, known.TrackerId, ownerId, isNext: true, out nextFd);
        }
        RecoveredTracker found = TrackerRecovery.Recover(this, world, live, next);
        if (found.Refusal == TrackerRefusal.None && found.Header!.Shape.DiskBytes < world.DiskBytes)
            found = TrackerGrowth.See(found, world.DiskBytes);
        changes = new TrackedChanges(found, world.Stamp);
        if (liveFd >= 0)
            _ = Files.Close(liveFd);
        if (nextFd >= 0)
            _ = Files.Close(nextFd);
        return default;
    }

    /// <param name="disk">As it is.</param>
    /// <param name="known">What the file says; null: it does not matter.</param>
    /// <param name="world">What is so.</param>
    /// <param name="ownerId">The user to whom the file belongs.</param>
    unsafe Fault TryGetWorld(FileDevice disk, TrackerHeader? known, out TrackerWorld world, out uint ownerId)
    {
        (world, ownerId) = (default, 0);
        ulong sizeBytes = disk.Limits.CapacityBytes;
        ulong knownBytes = known?.Shape.DiskBytes ?? sizeBytes;
        Fault fault = DiskFacts.TryIdentify(disk.Fd, out Digest32 diskId);
        DiskStamp stamp = default;
        DiskStamp before = default;
        // Of a disk that has grown the file will have this stamp: what others write from here on must be found.
        if (fault.IsNone)
            fault =
                knownBytes < sizeBytes
                    ? DiskFacts.TryStampForGood(disk.Fd, sizeBytes, out stamp)
                    : DiskFacts.TryStamp(disk.Fd, sizeBytes, out stamp);
        if (fault.IsNone && knownBytes < sizeBytes)
            fault = DiskFacts.TryStamp(disk.Fd, knownBytes, out before);
        if (fault.IsFault)
            return fault;
        Statx own;
        // SAFETY: the kernel fills the structure during the call only.
        if (Files.Statx(_device.Fd, "", Files.AT_EMPTY_PATH, Files.STATX_BASIC_STATS, &own) < 0)
            return Errnos.ToFault(Marshal.GetLastPInvokeError());
        ownerId = own.UserId;
        (ulong, ulong) home = ((ulong)own.DevMajor << 32 | own.DevMinor, own.Inode);
        bool isSettled = _device.Limits.IsReadOnly || Flush().IsNone;
        world = new TrackerWorld(
            diskId,
            sizeBytes,
            stamp,
            BootIdentity.Read(),
            home,
            IsFileSettled: isSettled,
            before.Places
        );
        return Fault.None;
    }

    /// <summary>A point of this name is now. Nobody writes to the disk.</summary>
    /// <param name="disk">The tracker's.</param>
    /// <param name="changes">As read before, without a refusal; they have the point afterwards.</param>
    /// <param name="name">A legal name that no point has; there are fewer than <see cref="TrackedPoint.CountMax"/>.
    /// </param>
    /// <param name="createdNs">Since 1970.</param>
    public Fault AddPoint(FileDevice disk, TrackedChanges changes, string name, ulong createdNs) =>
        ChangePoints(disk, changes, () => PlanPoint(changes, name, createdNs, false));

    /// <summary>A point is there no more; what has changed since those before it stays. Nobody writes to the disk.
    /// </summary>
    /// <param name="disk">The tracker's.</param>
    /// <param name="changes">As read before, without a refusal, and with the point.</param>
    /// <param name="name">Of the point.</param>
    public Fault DeletePoint(FileDevice disk, TrackedChanges changes, string name)
    {
        MapChain chain = changes.Found.Chain!;
        return ChangePoints(disk, changes, () => PointPlan.Delete(changes.Found.Header!, chain, chain.Find(name)));
    }

    /// <summary>A backup has all that was named: nothing has changed since now, and a point may be called so. Nobody
    /// writes to the disk.</summary>
    /// <param name="disk">As it was backed up.</param>
    /// <param name="changes">As read before; also of a file that a full backup heals, which then has no other point.
    /// </param>
    /// <param name="name">As for AddPoint, or empty.</param>
    /// <param name="createdNs">Since 1970.</param>
    public Fault MoveBase(FileDevice disk, TrackedChanges changes, string name, ulong createdNs)
    {
        if (changes.Refusal == TrackerRefusal.None && (name.Length > 0 || changes.Points.Count > 0))
            return ChangePoints(disk, changes, () => PlanPoint(changes, name, createdNs, movesBase: true));
        Fault fault = Reset(disk, changes);
        if (fault.IsFault || name.Length == 0)
            return fault;
        OpenRefusal refusal = Read(disk, out TrackedChanges? healed);
        using (healed)
            return !refusal.IsNone ? refusal.Fault
                : healed!.Refusal != TrackerRefusal.None ? new Fault(FaultKind.State)
                : MoveBase(disk, healed, name, createdNs);
    }

    static PointPlan PlanPoint(TrackedChanges changes, string name, ulong createdNs, bool movesBase) =>
        PointPlan.Add(changes.Found.Header!, changes.Found.Chain!, name, createdNs, movesBase, isAtRest: true);

    Fault ChangePoints(FileDevice disk, TrackedChanges changes, Func<PointPlan> make)
    {
        Fault fault = WriteGrowth(changes);
        if (fault.IsFault)
            return fault;
        using (PointPlan plan = make())
        {
            TrackerHeader header = changes.Found.Header!;
            DiskStamp stamp = header.Stamp; // of a closed one: what others write from now on is found
            fault =
                header.State == TrackerState.Open
                    ? DiskFacts.TryStampForGood(disk.Fd, disk.Limits.CapacityBytes, out stamp)
                    : Fault.None;
            if (fault.IsNone)
                fault = TrackerSteps.ChangePoints(this, changes.Found, plan, stamp);
            if (fault.IsNone)
                LiveFile.Remove(LiveFolder, header.TrackerId);
            return fault;
        }
    }

    /// <summary>A disk that is a file becomes larger, and what is new counts as changed. Killed in between, the tracker
    /// takes the disk for written to by others.</summary>
    /// <param name="disk">Can be written to; nobody else does.</param>
    /// <param name="changes">As read before, without a refusal; they are of the larger disk afterwards.</param>
    /// <param name="diskBytes">More than it has.</param>
    /// <exception cref="InsufficientMemoryException">The maps do not fit.</exception>
    public OpenRefusal GrowDisk(FileDevice disk, TrackedChanges changes, ulong diskBytes)
    {
        if (!(changes.Found.Header!.Shape with { DiskBytes = diskBytes }).IsLegal)
            return OpenRefusal.Rule($"a disk of {diskBytes} bytes cannot be tracked; it is too large");
        Fault fault = TrackerGrowth.Lengthen(this, disk, changes, diskBytes);
        return fault.IsNone ? default : OpenRefusal.Of(disk.Name, "grow", fault);
    }

    /// <summary>The file has what was seen of a disk that has grown, and is closed; then so do the changes.</summary>
    internal Fault WriteGrowth(TrackedChanges changes)
    {
        if (changes.Found.Growth == null)
            return Fault.None;
        Fault fault = TrackerGrowth.Write(this, changes.Found, changes.Stamp, out RecoveredTracker? written);
        if (fault.IsFault)
            return fault;
        changes.Settle(written!);
        LiveFile.Remove(LiveFolder, written!.Header!.TrackerId);
        return fault;
    }

    /// <summary>A backup has all that was named: from here on nothing has changed. Nobody writes to the disk.</summary>
    /// <param name="disk">As it was backed up.</param>
    /// <param name="changes">As read before; also of a file that a full backup heals.</param>
    public Fault Reset(FileDevice disk, TrackedChanges changes)
    {
        Fault fault = WriteGrowth(changes);
        if (fault.IsFault)
            return fault;
        TrackerHeader header = changes.Found.Header!;
        ulong sequence = changes.Found.LastSequence;
        if (changes.Refusal != TrackerRefusal.None)
        {
            using RecoveredTracker all = TrackerRecovery.TakeAllForChanged(this, header);
            sequence = all.LastSequence;
        }
        header =
            header.Shape.DiskBytes < disk.Limits.CapacityBytes
                ? HeaderRules.Enlarge(header, disk.Limits.CapacityBytes)
                : HeaderRules.WithoutPoints(header);
        fault = DiskFacts.TryStampForGood(disk.Fd, disk.Limits.CapacityBytes, out DiskStamp stamp);
        if (fault.IsFault)
            return fault;
        using HierarchicalBitmap none = HierarchicalBitmap.Create(header.Shape.DiskBytes, header.Shape.GranuleBytes);
        fault = TrackerSteps.Reset(this, header, none, sequence, stamp);
        if (fault.IsNone)
            LiveFile.Remove(LiveFolder, header.TrackerId);
        return fault;
    }

    /// <summary>The tracker is not wanted any more; nor is what a killed process has left.</summary>
    public void RemoveLive()
    {
        if (TrackerRecovery.ChooseHeader(this).Header is { } header)
            LiveFile.Remove(LiveFolder, header.TrackerId);
    }

    /// <summary>The live map of a map that no header names yet; null: there is no room in memory.</summary>
    internal LiveFile? CreateNextLive(TrackerHeader header, HierarchicalBitmap changed) =>
        LiveFile.TryCreate(LiveFolder, header, changed, isNext: true);

    /// <summary>There will be no such map.</summary>
    internal void RemoveNextLive(TrackerHeader header) => LiveFile.RemoveNext(LiveFolder, header.TrackerId);

    /// <summary>What is there under both names is of maps that are gone.</summary>
    internal void RemoveLive(TrackerHeader header) => LiveFile.Remove(LiveFolder, header.TrackerId);

    /// <summary>The file may have grown since it was opened. Threads: the loop's.</summary>
    internal void TellGrowth()
    {
        if (SizeBytes > _device.Limits.CapacityBytes)
            _ = _device.Grow(SizeBytes);
    }

    /// <summary>Says "open", with all that has changed; the first write may come when this has returned.</summary>
    /// <param name="store">As it is to be.</param>
    /// <param name="found">From which it was made.</param>
    /// <param name="disk">Whose tracker it is.</param>
    /// <param name="live">Null: no room in memory, a kill is like a power cut.</param>
    internal Fault Begin(TrackerStore store, RecoveredTracker found, FileDevice disk, out LiveFile? live)
    {
        live = null;
        Fault fault = TryGetWorld(disk, null, out TrackerWorld world, out _);
        if (fault.IsNone)
            fault = TrackerSteps.WriteMaps(this, store, found.BadPages);
        if (fault.IsFault)
            return fault;
        fault = TrackerSteps.HealFrozen(this, found);
        if (fault.IsFault)
            return fault;
        live = LiveFile.TryCreate(LiveFolder, store.Header, found.Changed!);
        LiveFile.RemoveNext(LiveFolder, store.Header.TrackerId);
        TrackerHeader header = store.Header with
        {
            State = TrackerState.Open,
            BootId = world.BootId,
            Home = world.Home,
            IsLiveElsewhere = true,
        };
        fault = TrackerSteps.WriteHeader(this, store, header, found.IsSecondHeaderBad);
        if (fault.IsFault)
            live?.Dispose();
        return fault;
    }

    /// <summary>Says "closed". Nobody writes to the disk any more, or no longer through whoever tracks.</summary>
    internal Fault End(TrackerStore store, FileDevice disk)
    {
        Fault fault = DiskFacts.TryStampForGood(disk.Fd, disk.Limits.CapacityBytes, out DiskStamp stamp);
        if (fault.IsNone)
            fault = TrackerSteps.End(this, store, stamp);
        if (fault.IsNone)
            LiveFile.Remove(LiveFolder, store.Header.TrackerId);
        return fault;
    }

    /// <summary>
    /// Says "inconsistent" past everything else: the loop has failed, or somebody has written meanwhile.
    /// </summary>
    /// <param name="fd">Of the file, open for writing.</param>
    /// <param name="header">The last that was written, or is on its way.</param>
    /// <param name="isLast">The descriptor is closed then.</param>
    internal static void SayInconsistent(int fd, TrackerHeader header, bool isLast)
    {
        TrackerHeader said = header with { State = TrackerState.Inconsistent, Sequence = header.Sequence + 2 };
        byte[] bytes = new byte[HeaderBytes.LengthBytes];
        HeaderBytes.Write(said, bytes);
        bool isSaid = DescriptorReader.Write(fd, 0, bytes).IsNone && Files.Fdatasync(fd) == 0;
        if (isSaid && DescriptorReader.Write(fd, HeaderBytes.SecondCopyAt, bytes).IsNone)
            _ = Files.Fdatasync(fd);
        if (isLast)
            _ = Files.Close(fd);
    }

    public ulong SizeBytes => _reader.SizeBytes;

    public bool TryRead(ulong offsetBytes, Span<byte> bytes) => _reader.TryRead(offsetBytes, bytes);

    public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes) =>
        DescriptorReader.Write(_device.Fd, offsetBytes, bytes);

    public Fault Grow(ulong sizeBytes)
    {
        if (_device.IsBlockDevice)
            return new Fault(FaultKind.NoSpace, Errnos.ENOSPC);
        ulong fromBytes = SizeBytes;
        // Allocated where that can be: a point that was made is not without room later.
        bool isGrown =
            Files.Fallocate(_device.Fd, 0, (long)fromBytes, (long)(sizeBytes - fromBytes)) == 0
            || (
                Marshal.GetLastPInvokeError() == Errnos.EOPNOTSUPP && Files.Ftruncate(_device.Fd, (long)sizeBytes) == 0
            );
        Fault fault = isGrown ? Fault.None : Errnos.ToFault(Marshal.GetLastPInvokeError());
        if (fault.IsNone)
            _reader = new DescriptorReader(_device.Fd, 0, sizeBytes);
        return fault;
    }

    public Fault Flush() =>
        Files.Fdatasync(_device.Fd) == 0 ? Fault.None : Errnos.ToFault(Marshal.GetLastPInvokeError());

    /// <summary>Threads: the loop's.</summary>
    public void Dispose() => _device.DisposeWhenIdle();

    /// <summary>After Dispose: until its lock is given back, a second at most. Threads: any but the loop's.</summary>
    public void WaitClosed() => _device.WaitClosed();
}
