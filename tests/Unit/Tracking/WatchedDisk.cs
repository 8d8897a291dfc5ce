// A disk with a tracker on a simulated loop: guests write, the tracker's file is a model that may lose power. Before
// and after every command to the file it is asked what a power cut and a kill would leave.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Live;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;
using FastBackup.Tracking.Store;
using FastBackup.Tracking.Watch;

namespace FastBackup.Tests.Unit.Tracking;

sealed class WatchedDisk : IDisposable
{
    public const ulong OpenMax = 16;
    const ulong WaitMaxNs = 10 * Units.NsPerSecond;

    readonly Prng _chance;
    readonly FileDevice _device;
    readonly HierarchicalBitmap _landed;
    readonly List<GuestProbe> _waiting = [];
    RecoveredTracker _tracker;
    TrackerStore _store;

    public WatchedDisk(ulong seed, ulong diskBytes = 16 * Units.MiB + 700, ulong latencyNsMax = 200_000)
    {
        _chance = new Prng(seed);
        Shape = new TrackerShape(diskBytes, 12, 14);
        Loop = new SimulatedLoop(seed, new SimulatedFaults { LatencyNsMax = latencyNsMax });
        TrackerHeader header = TrackerScene.Header(Shape) with
        {
            Areas = HeaderRules.Place(Shape, TrackerScene.MapId, isLiveElsewhere: true),
            IsLiveElsewhere = true,
        };
        File = new ModelFile(TrackerScene.NewFile(header));
        Mirror = new ModelMirror(Shape);
        _landed = HierarchicalBitmap.Create(diskBytes, Shape.GranuleBytes);
        _device = Loop.OpenFile(File.SizeBytes, out SimulatedDisk disk);
        Loop.FileIo.Override = command => command.File.Fd == disk.Handle.Fd ? Carry(command) : null;
        Disk = new Disk(Loop.Reactor, new VastDevice(Loop.Reactor, diskBytes), "watched");
        Tracker = new WriteTracker(Disk, WaitMaxNs);
        Disk.Quiesce(Loop.Reactor, [Disk], Tracker.Attach);
        (_tracker, _store) = Open();
    }

    public TrackerShape Shape { get; }

    public SimulatedLoop Loop { get; }

    public ModelFile File { get; }

    public ModelMirror Mirror { get; }

    public Disk Disk { get; }

    public WriteTracker Tracker { get; }

    public HierarchicalBitmap Changed => _tracker.Changed!;

    public TrackerStore Store => _store;

    public ulong TrialCount { get; private set; }

    public ulong CommandCount { get; private set; }

    public ulong FlushCount { get; private set; }

    public ulong FaultCount { get; private set; }

    /// <summary>Regions reported for nothing after a power cut, at most.</summary>
    public ulong OverReportMax { get; private set; }

    public Fault Trouble { get; private set; }

    /// <summary>What the file's storage answers to its n-th command: an errno, or 0.</summary>
    public Func<ulong, int> Errno { get; set; } = _ => 0;

    /// <summary>The mistake: a failed write is taken for done, a failed flush is tried again.</summary>
    public bool AreFaultsHidden { get; set; }

    public bool IsTried { get; set; } = true;

    /// <summary>The file as it would be opened by whoever comes before the first write.</summary>
    (RecoveredTracker, TrackerStore) Open()
    {
        RecoveredTracker found = Recover(File, isSameBoot: false, null);
        HierarchicalBitmap open = found.Open!;
        TrackerStore store = TrackerSteps.Take(found, open);
        Check.That(TrackerSteps.WriteMaps(File, store, found.BadPages).IsNone);
        TrackerHeader header = store.Header with { State = TrackerState.Open, BootId = TrackerScene.Boot };
        Check.That(TrackerSteps.WriteHeader(File, store, header, found.IsSecondHeaderBad).IsNone);
        return (found, store);
    }

    public bool Start() =>
        Tracker.Start(
            _store,
            new LiveMap(Changed, Mirror),
            _device,
            OpenMax,
            fault => Trouble = fault,
            onLoopFailed: () => { }
        );

    /// <summary>A guest's write: granted now, or in the list of those that wait.</summary>
    public GuestProbe Write(ulong offsetBytes, ulong lengthBytes)
    {
        GuestProbe guest = new(Disk, offsetBytes, lengthBytes);
        _guests.Add((guest, new Extent(offsetBytes, lengthBytes)));
        Settle();
        return guest;
    }

    readonly List<(GuestProbe Guest, Extent Extent)> _guests = [];

    /// <summary>Whatever was granted may have landed from now on, and ends.</summary>
    public void Settle()
    {
        for (int i = _guests.Count - 1; i >= 0; i--)
        {
            (GuestProbe guest, Extent extent) = _guests[i];
            if (!guest.IsGranted)
                continue;
            Check.That(_landed.Set(extent.OffsetBytes, extent.LengthBytes).IsNone);
            Disk.EndWrite();
            _guests.RemoveAt(i);
        }
    }

    public int WaitingCount => _guests.Count;

    public void RunFor(ulong ns)
    {
        ulong untilNs = Loop.Clock.NowNs + ns;
        while (Loop.Clock.NowNs < untilNs)
        {
            _ = Loop.Reactor.Turn(untilNs - Loop.Clock.NowNs);
            Settle();
        }
    }

    /// <summary>Guests write here and there, and mostly near one place.</summary>
    public void RunGuests(int writeCount)
    {
        for (int i = 0; i < writeCount; i++)
        {
            ulong at = _chance.Chance(1, 3) ? _chance.Below(Shape.DiskBytes) : _chance.Below(256 * Units.KiB);
            ulong lengthBytes = 1 + _chance.Below(_chance.Chance(1, 20) ? 300_000ul : 9_000ul);
            _ = Write(at, Math.Min(lengthBytes, Shape.DiskBytes - at));
            if (_chance.Chance(1, 2))
                RunFor(_chance.Below(300_000));
        }
        RunFor(Units.NsPerSecond);
    }

    long? Carry(in FileCommand command)
    {
        Settle();
        Try();
        ulong number = CommandCount++;
        if (Errno(number) is not 0 and int errno)
        {
            FaultCount++;
            if (command.Operation == FileOperation.Flush)
                File.FailFlush(_chance);
            if (!AreFaultsHidden)
                return -errno;
            if (command.Operation == FileOperation.Flush)
                File.Flush(); // tried again, and believed
            Try();
            return command.Operation == FileOperation.Write ? (long)command.LengthBytes : 0;
        }
        long result = 0;
        if (command.Operation == FileOperation.Write)
            result = Put(command);
        else if (command.Operation == FileOperation.Flush)
            Flush();
        Try();
        return result;
    }

    unsafe long Put(in FileCommand command)
    {
        // SAFETY: the device owns LengthBytes at Buffer until the completion.
        File.Write(command.OffsetBytes, new ReadOnlySpan<byte>((void*)command.Buffer, (int)command.LengthBytes));
        return (long)command.LengthBytes;
    }

    void Flush()
    {
        FlushCount++;
        File.Flush();
    }

    /// <summary>What would be found if all ended here.</summary>
    public void Try()
    {
        if (!IsTried || Tracker.IsOver)
            return;
        TrialCount += 3;
        using RecoveredTracker cut = Recover(File.Cut(_chance), isSameBoot: false, null);
        Judge(cut, "power cut");
        OverReportMax = Math.Max(OverReportMax, CountForNothing(cut));
        using RecoveredTracker torn = Recover(File.Cut(_chance, tearsSectors: true), isSameBoot: false, null);
        Judge(torn, "power cut that tears");
        using RecoveredTracker killed = Recover(File.Kill(), isSameBoot: true, Mirror.Image(_store.Header));
        Judge(killed, "kill");
        if (killed.Refusal == TrackerRefusal.None && CountForNothing(killed) > 0)
            throw new ModelException("kill: reported for nothing");
    }

    void Judge(RecoveredTracker found, string what)
    {
        if (found.Refusal == TrackerRefusal.Inconsistent && Trouble.IsFault)
            return;
        if (found.Refusal != TrackerRefusal.None)
            throw new ModelException($"{what}: refused, {found.Refusal}");
        for (ulong bit = 0; (bit = _landed.NextDirtyBit(bit, Shape.GranuleCount)) < Shape.GranuleCount; bit++)
            if (!found.Changed!.GetBit(bit))
                throw new ModelException($"{what}: granule {bit} is missed");
    }

    /// <summary>Granules that nobody was about to write to.</summary>
    ulong CountForNothing(RecoveredTracker found)
    {
        ulong count = 0;
        if (found.Changed is { } changed)
            for (ulong bit = 0; (bit = changed.NextDirtyBit(bit, Shape.GranuleCount)) < Shape.GranuleCount; bit++)
                count += _landed.GetBit(bit) ? 0u : 1u;
        return count;
    }

    public RecoveredTracker Recover(ModelFile file, bool isSameBoot, LiveImage? live)
    {
        TrackerHeader header = TrackerScene.Header(Shape);
        TrackerWorld world = new(
            header.DiskId,
            Shape.DiskBytes,
            header.Stamp,
            isSameBoot ? TrackerScene.Boot : TrackerScene.Boot + 1,
            header.Home,
            IsFileSettled: true
        );
        return TrackerRecovery.Recover(file, world, live);
    }

    public void Dispose()
    {
        IsTried = false;
        RunFor(20 * Units.NsPerSecond);
        Disk.Quiesce(Loop.Reactor, [Disk], Tracker.Detach);
        Disk.Dispose();
        _device.Dispose();
        _store.Dispose();
        _tracker.Dispose();
        _landed.Dispose();
        Loop.Dispose();
    }
}
