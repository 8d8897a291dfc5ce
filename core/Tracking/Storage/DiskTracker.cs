// A tracker on a disk, from its attach to its end: what is done on the loop's thread, and what waits for storage on the
// caller's, in turns. Writes of guests wait between Hold and Start, and between Release and Detach.
//
//   loop      Hold                   Start                     Release            Detach
//   caller            Open file, Begin       guests write             (idle) End          Dispose
//
//   loop      (the disk grows, writes wait)           EndGrowth
//   caller    Points.PrepareGrowth        (held) Grow          guests write
//
// Only for disks that are files or block devices of this machine: of others it cannot be told which they are.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Live;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Store;
using FastBackup.Tracking.Watch;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: see each member.</summary>
public sealed class DiskTracker : IDisposable
{
    /// <summary>Below what guests take for a dead disk.</summary>
    public const ulong WaitMaxNsDefault = 10 * Units.NsPerSecond;

    const ulong OpenMinBytes = 64 * Units.MiB;
    const ulong OpenPart = 100; // of the disk

    static readonly PatientThreads s_lastWords = new(atOnceMax: 16);

    readonly Disk _disk;
    readonly FileDevice _device;
    readonly TrackerFile _file;
    readonly WriteTracker _watcher;
    RecoveredTracker? _found;
    HierarchicalBitmap? _open;
    TrackerStore? _store;
    Action<Fault> _onTrouble = _ => { };
    TrackerStore? _nextStore; // of a larger disk
    HierarchicalBitmap? _nextOpen;

    DiskTracker(Disk disk, FileDevice device, TrackerFile file, ulong waitMaxNs)
    {
        (_disk, _device, _file) = (disk, device, file);
        _watcher = new WriteTracker(disk, waitMaxNs);
    }

    public string Path => _file.Path;

    /// <summary>Why everything counts as changed; None: it does not, or the file is new.</summary>
    public TrackerRefusal RestartReason { get; private set; }

    /// <summary>It has given way: the file is inconsistent. Threads: any.</summary>
    public bool IsOver => _watcher.IsOver;

    /// <summary>No step is under way. Threads: the loop's.</summary>
    public bool IsIdle => _watcher.IsIdle;

    /// <summary>Its points; null before it has begun. Threads: see there.</summary>
    public DiskPoints? Points { get; private set; }

    /// <summary>Opens the file. Threads: any that may wait.</summary>
    /// <param name="disk">Whose writes are tracked.</param>
    /// <param name="path">Of a tracker file.</param>
    /// <param name="waitMaxNs">How long a write may wait for the tracker.</param>
    /// <param name="tracker">Null when refused.</param>
    public static OpenRefusal TryOpen(Disk disk, string path, ulong waitMaxNs, out DiskTracker? tracker)
    {
        tracker = null;
        if (disk.Device is not FileDevice device)
            return OpenRefusal.Rule($"disk '{disk.Name}' is no file or block device of this machine");
        OpenRefusal refusal = TrackerFile.TryOpen(disk.Loop, path, isReadOnly: false, out TrackerFile? file);
        if (refusal.IsNone)
            tracker = new DiskTracker(disk, device, file!, waitMaxNs);
        return refusal;
    }

    /// <summary>Holds writes from here on. Threads: the loop's, the disk quiesced.</summary>
    public void Hold() => _watcher.Attach();

    /// <summary>Reads the file and says in it that it is open. Threads: any that may wait.</summary>
    /// <returns>None, or why not: then Detach.</returns>
    public OpenRefusal Begin()
    {
        OpenRefusal refusal = _file.Read(_device, out TrackedChanges? changes);
        if (!refusal.IsNone)
            return refusal;
        TrackerRefusal reason = changes!.Refusal;
        if (reason.IsHealedByFull())
        {
            RestartReason = reason;
            changes = TakeAllForChanged(changes);
        }
        else if (reason != TrackerRefusal.None)
        {
            changes.Dispose();
            return OpenRefusal.Rule(TrackerRefusals.Describe(Path, reason) + "; " + TrackerRefusals.Advise(reason));
        }
        Fault fault = _file.WriteGrowth(changes);
        _found = changes.Take();
        if (fault.IsFault)
            return OpenRefusal.Of(Path, "write tracker", fault);
        TrackerShape shape = _found.Header!.Shape;
        _open = ChooseOpen(_found, shape);
        _store = TrackerSteps.Take(_found, _open);
        fault = _file.Begin(_store, _found, _device, out LiveFile? live);
        if (fault.IsFault)
            return OpenRefusal.Of(Path, "write tracker", fault);
        Points = new DiskPoints(_disk.Loop, _watcher, _file, _store, _found, live);
        return default;
    }

    /// <summary>A file that a full backup would heal: everything has changed.</summary>
    TrackedChanges TakeAllForChanged(TrackedChanges refused)
    {
        RecoveredTracker all = TrackerRecovery.TakeAllForChanged(_file, refused.Found.Header!);
        ulong diskBytes = _device.Limits.CapacityBytes;
        if (all.Header!.Shape.DiskBytes < diskBytes)
            all = TrackerGrowth.See(all, diskBytes);
        return new TrackedChanges(all, refused.Stamp);
    }

    /// <summary>Regions that are open from the start: those that were at its end, or else those with changes.</summary>
    static HierarchicalBitmap ChooseOpen(RecoveredTracker found, in TrackerShape shape)
    {
        HierarchicalBitmap open = HierarchicalBitmap.Create(shape.DiskBytes, shape.RegionBytes);
        ulong countMax = OpenMax(shape) / 2;
        HierarchicalBitmap source = found.Open!.CountBits() > 0 ? found.Open : found.Changed!;
        ulong bitsPerRegion = shape.RegionBytes / source.GranularityBytes;
        ulong bit = source.NextDirtyBit(0, source.BitCount);
        while (bit < source.BitCount && open.CountBits() < countMax)
        {
            ulong region = bit / bitsPerRegion;
            open.SetBits(region, 1);
            bit = source.NextDirtyBit(Math.Min((region + 1) * bitsPerRegion, source.BitCount), source.BitCount);
        }
        return open;
    }

    static ulong OpenMax(in TrackerShape shape) =>
        Math.Max(8, Math.Max(OpenMinBytes, shape.DiskBytes / OpenPart) / shape.RegionBytes);

    /// <summary>Writes pass by its rules from here on. Threads: the loop's.</summary>
    /// <param name="onTrouble">Told once, on the loop's thread, that it is inconsistent, and why.</param>
    /// <returns>False: opening the file has taken too long, and writes have passed; Detach.</returns>
    public bool Start(Action<Fault> onTrouble)
    {
        _onTrouble = onTrouble;
        return Watch(new LiveMap(_found!.Changed!, Points!.Live));
    }

    bool Watch(LiveMap live)
    {
        _file.TellGrowth();
        return _watcher.Start(_store!, live, _file.Device, OpenMax(_store!.Header.Shape), _onTrouble, SayLastWord);
    }

    /// <summary>On a thread and a descriptor of its own: the file may be closed meanwhile.</summary>
    void SayLastWord()
    {
        TrackerHeader header = _store!.Header;
        int fd = LinuxFile.Reopen(_file.Device.Fd, Files.O_RDWR);
        if (fd >= 0 && !s_lastWords.TryRun("fb-tracker", () => TrackerFile.SayInconsistent(fd, header, isLast: true)))
            _ = Files.Close(fd);
    }

    /// <summary>Holds writes until Detach. Threads: the loop's, the disk quiesced.</summary>
    /// <returns>False: it is over already.</returns>
    public bool Release() => _watcher.Release();

    /// <summary>All writes are held, and the file is nobody's. Threads: the loop's.</summary>
    public bool IsHeld => _watcher.IsHeld;

    /// <summary>Makes the file that of a larger disk; the points are ready for it, and it is held. Where it fails the
    /// file says that it is inconsistent, if it can. Threads: any that may wait.</summary>
    public Fault Grow()
    {
        Fault fault;
        try
        {
            fault = Points!.Grow(out _nextStore, out _nextOpen);
        }
        catch (InsufficientMemoryException)
        {
            fault = new Fault(FaultKind.NoMemory);
        }
        if (fault.IsFault)
            GiveUpFile();
        return fault;
    }

    /// <summary>Writes pass again. Threads: the loop's.</summary>
    /// <param name="growth">What came of it.</param>
    /// <returns>False: writes have passed that the file does not have; GiveUpFile.</returns>
    public bool EndGrowth(Fault growth)
    {
        if (growth.IsFault)
        {
            _watcher.Abandon();
            _onTrouble(growth);
            return true; // the file has said so
        }
        (TrackerStore before, HierarchicalBitmap? openBefore) = (_store!, _open);
        (_store, _open, _nextStore, _nextOpen) = (_nextStore, _nextOpen, null, null);
        bool goesOn = false;
        Points!.EndGrowth(_store!, live => goesOn = Watch(live));
        before.Dispose();
        openBefore?.Dispose();
        return goesOn;
    }

    /// <summary>There is nobody to wait for it: inconsistent. Threads: the loop's.</summary>
    public void FailGrowth(Fault fault) => _watcher.Fail(fault);

    /// <summary>Says in the file that it is closed. Threads: any that may wait, when released and idle.</summary>
    /// <returns>None, or why it is inconsistent.</returns>
    public Fault End()
    {
        Fault fault = _file.End(_store!, _device);
        if (fault.IsFault)
            GiveUpFile();
        return fault;
    }

    /// <summary>Takes it off; nothing is held. Threads: the loop's, the disk quiesced, no step under way.</summary>
    /// <returns>False: writes have passed that the file does not have; GiveUpFile.</returns>
    public bool Detach()
    {
        bool isRight = !_watcher.IsOver;
        _watcher.Detach();
        return isRight;
    }

    /// <summary>The file says that it is inconsistent, if it can. Threads: any that may wait.</summary>
    public void GiveUpFile()
    {
        if (_store == null)
            return;
        Points?.Live?.Void();
        TrackerFile.SayInconsistent(_file.Device.Fd, _store.Header, isLast: false);
    }

    /// <summary>After Dispose: until the file can be opened again. Threads: any but the loop's.</summary>
    public void WaitClosed() => _file.WaitClosed();

    /// <summary>Threads: the loop's; after Detach.</summary>
    public void Dispose()
    {
        Points?.Dispose();
        _store?.Dispose();
        _open?.Dispose();
        _nextStore?.Dispose();
        _nextOpen?.Dispose();
        _found?.Dispose();
        _file.Dispose();
    }
}
