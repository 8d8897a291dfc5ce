// One life of a disk whose tracker has points, on a simulated loop: from its attach to a detach, a kill or a power cut.
// Guests write versions into granules; points are made and deleted meanwhile, as DiskPoints does it. The file is a
// model that may lose power.
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

sealed class PointedDisk : IDisposable
{
    const ulong OpenMax = 8;
    const ulong WaitMaxNs = 10 * Units.NsPerSecond;

    readonly Prng _chance;
    readonly FileDevice _device;
    readonly Disk _disk;
    readonly SimulatedLoop _loop;
    readonly WriteTracker _tracker;
    readonly RecoveredTracker _found;
    readonly List<IDisposable> _left = [];
    TrackerStore _store;
    readonly List<(GuestProbe Guest, ulong First, ulong Last)> _guests = [];
    readonly ulong[] _content;
    PointPlan? _plan;
    ModelMirror? _next;

    /// <param name="seed">Of all chance.</param>
    /// <param name="file">As the life before has left it.</param>
    /// <param name="world">What is so now.</param>
    /// <param name="live">What the life before has left in memory.</param>
    /// <param name="next">As above, of a map in the making.</param>
    /// <param name="content">A version a granule; changed here.</param>
    public PointedDisk(
        ulong seed,
        ModelFile file,
        in TrackerWorld world,
        LiveImage? live,
        LiveImage? next,
        ulong[] content
    )
    {
        (_chance, File, _content) = (new Prng(seed), file, content);
        _found = TrackerRecovery.Recover(file, world, live, next);
        if (_found.Refusal != TrackerRefusal.None)
            throw new ModelException($"refused: {_found.Refusal}");
        if (_found.Header!.Shape.DiskBytes < world.DiskBytes)
        {
            RecoveredTracker seen = TrackerGrowth.See(_found, world.DiskBytes);
            Check.That(TrackerGrowth.Write(file, seen, world.Stamp, out RecoveredTracker? written).IsNone);
            _found = written!;
        }
        _loop = new SimulatedLoop(seed, new SimulatedFaults { LatencyNsMax = 100_000 });
        _device = _loop.OpenFile(file.SizeBytes, out SimulatedDisk disk);
        _loop.FileIo.Override = command => command.File.Fd == disk.Handle.Fd ? Carry(command) : null;
        _disk = new Disk(_loop.Reactor, new VastDevice(_loop.Reactor, world.DiskBytes), "pointed");
        _tracker = new WriteTracker(_disk, WaitMaxNs);
        Disk.Quiesce(_loop.Reactor, [_disk], _tracker.Attach);
        _store = TrackerSteps.Take(_found, _found.Open!);
        Check.That(TrackerSteps.WriteMaps(file, _store, _found.BadPages).IsNone);
        Check.That(TrackerSteps.HealFrozen(file, _found).IsNone);
        Mirror = new ModelMirror(_store.Header.Shape)
        {
            MapId = _store.Header.MapId,
            Sequence = _store.Header.Sequence + 1,
        };
        Check.That(_found.Changed!.SerializePart(0, world.DiskBytes, Mirror.Bits).IsNone);
        TrackerHeader header = _store.Header with { State = TrackerState.Open, BootId = world.BootId };
        Check.That(TrackerSteps.WriteHeader(file, _store, header, _found.IsSecondHeaderBad).IsNone);
        Check.That(Start(new LiveMap(_found.Changed!, Mirror)));
    }

    bool Start(LiveMap live) =>
        _tracker.Start(
            _store,
            live,
            _device,
            OpenMax,
            fault => Trouble = Errno == null ? throw new ModelException($"trouble: {fault}") : fault,
            onLoopFailed: () => { }
        );

    /// <summary>What the file's storage answers to its n-th command: an errno, or 0; null: always 0.</summary>
    public Func<ulong, int>? Errno { get; set; }

    public ulong CommandCount { get; private set; }

    public int WaitingCount => _guests.Count;

    /// <summary>The tracker has given up.</summary>
    public Fault Trouble { get; private set; }

    public ModelFile File { get; }

    public ModelMirror Mirror { get; private set; }

    public MapChain Chain => _found.Chain!;

    /// <summary>Asked before and after every command to the file.</summary>
    public Action? Tries { get; set; }

    /// <summary>Writes to frozen maps' pages are lost on the way.</summary>
    public bool LosesFrozenPages { get; set; }

    /// <summary>From a swap on, bits do not go to the mirror of the map that still counts.</summary>
    public bool ForgetsOldMirror { get; set; }

    /// <summary>A granule is about to have another version.</summary>
    public Action<ulong>? OnLanded { get; set; }

    bool IsFrozenPage(ulong offsetBytes)
    {
        ulong mapId = _store.Header.MapId;
        return _plan != null
            && (
                offsetBytes == _store.Header.Find(AreaKind.FineFirst, mapId).OffsetBytes
                || offsetBytes == _store.Header.Find(AreaKind.FineSecond, mapId).OffsetBytes
            );
    }

    public LiveImage Live => ImageOf(Mirror)!;

    public LiveImage? NextLive => ImageOf(_next);

    LiveImage? ImageOf(ModelMirror? mirror) =>
        mirror == null
            ? null
            : new LiveImage(
                new ModelFile((byte[])mirror.Bits.Clone()),
                _store.Header.TrackerId,
                mirror.MapId,
                mirror.Sequence,
                mirror.IsVoid
            );

    public void Write()
    {
        TrackerShape shape = PointScene.Shape with { DiskBytes = _disk.CapacityBytes };
        ulong count = shape.GranuleCount;
        ulong first = _chance.Chance(2, 3) ? _chance.Below(24) : _chance.Below(count);
        ulong last = Math.Min(count - 1, first + _chance.Below(3));
        ulong endBytes = Math.Min((last + 1) * shape.GranuleBytes, shape.DiskBytes);
        ulong offsetBytes = first * shape.GranuleBytes;
        _guests.Add((new GuestProbe(_disk, offsetBytes, endBytes - offsetBytes), first, last));
        Settle();
    }

    /// <summary>Whatever was granted may have landed from now on, and ends.</summary>
    public void Settle()
    {
        for (int i = _guests.Count - 1; i >= 0; i--)
        {
            (GuestProbe guest, ulong first, ulong last) = _guests[i];
            if (!guest.IsGranted)
                continue;
            for (ulong granule = first; granule <= last; granule++)
            {
                OnLanded?.Invoke(granule);
                _content[granule]++;
            }
            _disk.EndWrite();
            _guests.RemoveAt(i);
        }
    }

    public void RunFor(ulong ns)
    {
        ulong untilNs = _loop.Clock.NowNs + ns;
        while (_loop.Clock.NowNs < untilNs)
        {
            _ = _loop.Reactor.Turn(untilNs - _loop.Clock.NowNs);
            Settle();
        }
    }

    /// <summary>What has changed since a point, as a job takes it in the moment.</summary>
    public List<ulong> Since(string name)
    {
        using HierarchicalBitmap bits = Chain.Since(Chain.Find(name));
        List<ulong> granules = [];
        for (ulong bit = 0; (bit = bits.NextDirtyBit(bit, bits.BitCount)) < bits.BitCount; bit++)
            granules.Add(bit);
        return granules;
    }

    /// <summary>Makes points of one instant, while guests write.</summary>
    /// <param name="names">Of them.</param>
    /// <param name="file">Where new maps are written.</param>
    /// <param name="inMoment">The instant of the point, before the maps change.</param>
    /// <param name="swapsLater">The mistake: in another moment.</param>
    /// <param name="stops">True: the life ends before the point is durable.</param>
    public void Add(
        string[] names,
        ITrackerStorage file,
        Action inMoment,
        bool swapsLater = false,
        Func<bool>? stops = null
    )
    {
        _plan = PointPlan.AddAll(_store.Header, Chain, Array.ConvertAll(names, name => (name, false)), 1);
        Check.That(TrackerSteps.WriteNew(file, _plan, _found.LastSequence + 1).IsNone);
        _ = _device.Grow(File.SizeBytes);
        _next = NextMirror();
        bool isReady = false;
        bool hasEnded = false;
        Check.That(_tracker.TryBeginPoint(_plan, _next, () => isReady = true, fault => hasEnded = fault.IsNone));
        while (!isReady && Trouble.IsNone)
            RunSome();
        InMoment(() =>
        {
            Settle();
            if (Trouble.IsFault)
                return;
            inMoment();
            if (!swapsLater)
                Check.That(_tracker.TrySwapPoint());
            Mirror.IsDeaf = ForgetsOldMirror;
        });
        if (swapsLater)
        {
            RunSome();
            InMoment(() => Check.That(_tracker.TrySwapPoint()));
        }
        while (!hasEnded && Trouble.IsNone)
        {
            RunSome();
            if (stops?.Invoke() == true)
                return;
        }
        if (Trouble.IsFault)
        {
            _tracker.WithdrawPoint();
            return;
        }
        End();
        Mirror = _next;
        _next = null;
    }

    ModelMirror NextMirror() =>
        new(_plan!.Header.Shape) { MapId = _plan.Header.MapId, Sequence = _store.Header.Sequence + 1 };

    /// <summary>The disk, which has grown behind its device, grows while guests write, as DiskPoints does it.</summary>
    /// <param name="diskBytes">More than it has.</param>
    /// <param name="file">Where all is written.</param>
    /// <param name="mistake">What is done wrong.</param>
    public void Grow(ulong diskBytes, ITrackerStorage file, ChainMistake mistake)
    {
        _plan = PointPlan.Grow(_store.Header, Chain, diskBytes);
        Check.That(TrackerSteps.WriteNew(file, _plan, _found.LastSequence + 1).IsNone);
        bool hasGrown = false;
        DiskGrowth growth = new(
            _disk,
            diskBytes,
            hasJobs: () => false,
            fault => hasGrown = fault.IsNone,
            growingCount: 1,
            () => Check.That(_tracker.Release())
        );
        growth.Begin(_loop.Reactor);
        while (!hasGrown || !_tracker.IsHeld)
            RunSome();
        RunSome(); // guests wait, for what is new, too
        ulong sequence = Math.Max(_found.LastSequence, _store.LastSequence) + 2;
        TrackerStore store = TrackerGrowth.TakeOver(_plan, _store, Chain.Maps[^1], sequence, out var open);
        if (mistake == ChainMistake.NewPartIsClean)
            _plan.Maps[^1].ClearBits(_plan.Maps[^1].BitCount - 1, 1);
        if (mistake == ChainMistake.OpenRegionsForgotten)
            ClearOnDisk(store, file, sequence);
        else if (mistake == ChainMistake.HeaderBeforeMaps)
            Check.That(TrackerSteps.WriteHeader(file, store, store.Header).IsNone);
        else
            Check.That(TrackerGrowth.WriteRecording(file, _plan, store, sequence).IsNone);
        _next = NextMirror();
        Check.That(_plan.Maps[^1].SerializePart(0, diskBytes, _next.Bits).IsNone);
        if (mistake == ChainMistake.HeaderBeforeMaps)
            Check.That(TrackerGrowth.WriteRecording(file, _plan, store, sequence).IsNone);
        else
            Check.That(TrackerSteps.WriteHeader(file, store, store.Header).IsNone);
        _ = _device.Grow(File.SizeBytes);
        _left.AddRange([_store, open]);
        _store = store;
        Check.That(Start(new LiveMap(_plan.Maps[^1], _next)));
        End();
        Mirror = _next;
        _next = null;
    }

    /// <summary>The mistake: intents are written as if nothing were open, though the gate has regions open.</summary>
    void ClearOnDisk(TrackerStore store, ITrackerStorage file, ulong sequence)
    {
        using HierarchicalBitmap none = HierarchicalBitmap.Create(
            store.Header.Shape.DiskBytes,
            store.Header.Shape.RegionBytes
        );
        using IntentSectors intents = new(store.Header, none, sequence);
        Check.That(TrackerGrowth.WriteRecording(file, _plan!, store, sequence).IsNone);
        intents.BeginWhole();
        while (intents.Whole.TryNext(out TrackerStep step))
            _ = step.IsFlush ? file.Flush() : file.Write(step.OffsetBytes, intents.Whole.BytesOf(step));
        intents.Whole.End();
    }

    public void Delete(string name, ITrackerStorage file)
    {
        _plan = PointPlan.Delete(_store.Header, Chain, Chain.Find(name));
        Check.That(TrackerSteps.WriteNew(file, _plan, _found.LastSequence + 1).IsNone);
        _ = _device.Grow(File.SizeBytes);
        bool hasEnded = false;
        Check.That(_tracker.TryNamePoints(_plan, fault => hasEnded = fault.IsNone));
        while (!hasEnded && Trouble.IsNone)
            RunSome();
        if (Trouble.IsNone)
            End();
    }

    void End()
    {
        _plan!.Commit(Chain);
        _plan.Dispose();
        _plan = null;
    }

    void RunSome()
    {
        if (_chance.Chance(1, 2))
            Write();
        RunFor(30_000);
    }

    void InMoment(Action change)
    {
        QuiescedChange moment = new(_loop.Reactor, [_disk], change);
        moment.Begin();
        while (moment.IsPending)
            RunFor(30_000);
    }

    long? Carry(in FileCommand command)
    {
        Settle();
        Tries?.Invoke();
        if (Errno?.Invoke(CommandCount++) is not (null or 0) and int errno)
        {
            if (command.Operation == FileOperation.Flush)
                File.FailFlush(_chance);
            return -errno;
        }
        long result = 0;
        if (command.Operation == FileOperation.Write)
            result = Put(command);
        else if (command.Operation == FileOperation.Flush)
            File.Flush();
        Tries?.Invoke();
        return result;
    }

    unsafe long Put(in FileCommand command)
    {
        // SAFETY: the device owns LengthBytes at Buffer until the completion.
        ReadOnlySpan<byte> bytes = new((void*)command.Buffer, (int)command.LengthBytes);
        if (!LosesFrozenPages || !IsFrozenPage(command.OffsetBytes))
            File.Write(command.OffsetBytes, bytes);
        return (long)command.LengthBytes;
    }

    /// <summary>Nothing of it changes the file, or the content, any more.</summary>
    public void Dispose()
    {
        Tries = null;
        OnLanded = null;
        RunFor(20 * Units.NsPerSecond);
        Disk.Quiesce(_loop.Reactor, [_disk], _tracker.Detach);
        _disk.Dispose();
        _device.Dispose();
        _store.Dispose();
        foreach (IDisposable left in _left)
            left.Dispose();
        _plan?.Dispose();
        _found.Dispose();
        _loop.Dispose();
    }
}
