// One world from one seed: disks, guests, jobs, faults; production code from the disk inwards, all else simulated.
//
//   safety     guests write, jobs come and go, anything may fail; the oracle looks at every event
//   liveness   nothing fails any more: every operation and every job must end, and everything must be given back
//
// Single-threaded and without any state outside: the same seed is the same run, to the last event (the trace hash).
using System;
using System.Collections.Generic;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Memory;
using FastBackup.Runtime;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Simulation.Control;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation;

sealed class Simulation
{
    const int LivenessTurnsMax = 400_000;
    const ulong LivenessNsMax = 4000 * Units.NsPerSecond;

    readonly ImageStore _store;
    readonly Prng _prng;
    readonly AlignedRegion _memory;
    readonly CaptureRules _captureRules;
    readonly Pollers? _pollers; // null: the engine has a thread of its own
    int _nextFd = 1;

    public Simulation(ulong seed, ImageStore store, AlignedRegion memory, Tallies tallies, Action<string>? log)
    {
        (_store, _memory, Tallies, Log) = (store, memory, tallies, log);
        _prng = new Prng(seed);
        Judge = new EventJudge(this);
        _captureRules = new CaptureRules(this);
        Plan = FaultPlan.Draw(_prng);
        Prng shapePrng = new(seed + 4);
        Shape = new Shape(shapePrng, new Prng(seed + 6));
        int depth = _prng.Chance(1, 5) ? 2 + (int)_prng.Below(8) : 512;
        if (Shape.ThreadsPerFile > 0)
            depth = 512;
        Port = new SimulationPort(Clock, new Prng(seed + 1), Plan, tallies, depth) { Watcher = Judge };
        if (log != null)
            Port.Log = text => log($"{Clock.NowNs} {text}");
        Reactor = new Reactor(Port, Clock, new ReactorLimits(128, 2, 2)) { Trace = Judge }; // tables must grow
        _pollers = Shape.PollerCount > 0 ? new Pollers(this, shapePrng, Shape.PollerCount) : null;
        Guests = new GuestLoad(this, new Prng(seed + 2), memory);
        uint bufferBytes = 4096u << (int)_prng.Below(6);
        uint bufferCount = 2 + (uint)_prng.Below(_prng.Chance(1, 2) ? 3u : 14u);
        uint unitBytes = Math.Max(4096, bufferBytes >> (int)_prng.Below(4));
        uint unitCount = bufferBytes / unitBytes * bufferCount;
        Check.That(BufferPool.TryCreate(bufferBytes, unitBytes, unitCount, out BufferPool? pool).IsNone);
        Pool = pool!;
        IsTight = _prng.Chance(1, 5);
        uint diskCount = IsTight ? 1 : 1 + (uint)_prng.Below(3);
        for (int i = 0; i < diskCount; i++)
            Disks.Add(MakeDisk(i));
        Director = new Director(this, new Prng(seed + 3), shapePrng, memory.Start + (nint)GuestLoad.MemoryBytes);
    }

    public static ulong MemoryBytes => GuestLoad.MemoryBytes + Director.MemoryBytes;

    public SimulatedClock Clock { get; } = new();
    public Tallies Tallies { get; }
    public Action<string>? Log { get; }
    public FaultPlan Plan { get; }
    public Shape Shape { get; }
    public SimulationPort Port { get; }
    public Reactor Reactor { get; }
    public BufferPool Pool { get; }
    public GuestLoad Guests { get; }
    public List<GuestDisk> Disks { get; } = [];
    public List<JobRun> Runs { get; } = [];
    public Director Director { get; }
    public EventJudge Judge { get; }
    public byte[] Scratch { get; } = new byte[256 * 1024];

    /// <summary>Memory that jobs which have ended left to a device that did not answer.</summary>
    public ulong OrphanedBytes => Director.OrphanedBytes;

    /// <summary>Devices accept few requests at once; then one job at a time is all that they can serve.</summary>
    public bool IsTight { get; }
    public bool IsLiveness { get; private set; }

    public void Run()
    {
        ulong operationsWanted = 400 + _prng.Below(6000);
        uint burstMax = 1 + (uint)_prng.Below(6);
        ulong waitNs = Math.Max(1, Plan.LatencyNs) << (int)_prng.Below(3);
        ulong roundMax = operationsWanted * 4;
        for (ulong round = 0; Tallies.GuestOperations < operationsWanted && round < roundMax; round++)
        {
            if (!Guests.HasIdle && _prng.Chance(1, 256))
                Port.ReleaseHung(); // else a few hung writes are all that the rest of the seed sees
            Director.Act();
            for (ulong i = _prng.Below(burstMax + 1); i > 0; i--)
                Guests.Issue(Disks[(int)_prng.Below((ulong)Disks.Count)]);
            Turn(_prng.Chance(1, 5) ? 0 : waitNs);
        }
        End();
    }

    void Turn(ulong waitNs)
    {
        if (_pollers == null)
            Reactor.Turn(waitNs);
        else
            _pollers.Turn(waitNs);
        if (Pool.FreeUnitCount == 0)
            Tallies.Count(Mishap.PoolExhausted);
        for (int i = 0; i < Runs.Count; i++)
            Runs[i].CheckProgress();
        _captureRules.Check();
    }

    /// <summary>What the host does to the engine itself: on its thread, or by who holds the driver's lock.</summary>
    public void OnLoop(Action action)
    {
        if (_pollers == null)
            action();
        else
            Reactor.Invoke(action);
    }

    /// <summary>The liveness phase and what must hold at the very end.</summary>
    void End()
    {
        IsLiveness = true;
        Log?.Invoke("liveness");
        Director.Heal();
        ulong untilNs = Clock.NowNs + LivenessNsMax;
        for (int turn = 0; Runs.Count > 0 || !Guests.IsQuiet || Port.InFlightCount > 0 || AreWritesUnderWay(); turn++)
        {
            Director.HelpToEnd();
            Guests.RetryHostWrites();
            Turn(Units.NsPerSecond);
            if (turn > LivenessTurnsMax || Clock.NowNs > untilNs)
                throw new SimulationFailure("O9", "does not end: " + Describe());
        }
        Turn(0);
        Turn(0);
        if (_pollers != null)
            Turn(0); // the last cold call
        CheckAllGivenBack();
        foreach (GuestDisk disk in Disks)
            disk.JudgeAll("at the end");
        Dispose();
    }

    void CheckAllGivenBack()
    {
        if (Pool.FreeUnitCount != Pool.UnitCount)
            throw new SimulationFailure("O10", $"{Pool.UnitCount - Pool.FreeUnitCount} buffers are not given back");
        foreach (GuestDisk disk in Disks)
        {
            if (disk.Device.InFlightCount + disk.Disk.WaitingCount != 0 || disk.Disk.WritesInFlight != 0)
                throw new SimulationFailure("O10", $"disk {disk.Index} still has something in flight");
            foreach (BitmapModel bitmap in disk.Bitmaps)
                bitmap.Check("O5", "at the end");
        }
    }

    void Dispose()
    {
        Director.Dispose();
        foreach (GuestDisk disk in Disks)
        {
            disk.Disk.Dispose();
            disk.Device.Dispose();
        }
        Pool.Dispose();
        Reactor.Dispose();
    }

    /// <summary>After a failure things are in flight: only the memory is given back, by whoever finalizes it.</summary>
    string Describe()
    {
        string text = $"{Guests.UnderWay} guest operations, {Port.InFlightCount} commands ({Port.HungCount} hung)";
        foreach (JobRun run in Runs)
        {
            Copy.CopyEngine engine = run.Job.Filter.Engine;
            text += $", {run.Id} {run.Job.Status} in flight {engine.InFlightCount} parked {engine.ParkedCount}";
            text += string.Create(CultureInfo.InvariantCulture, $" to do {run.Job.Todo.CountBits()}");
            text += engine.HasRoom(Copy.CopyLane.Background) ? "" : " no room";
        }
        foreach (GuestDisk disk in Disks)
            text += $", disk {disk.Index} waiting {disk.Disk.WaitingCount} writes {disk.Disk.WritesInFlight}";
        text += $", memory {Pool.FreeBytes} of {Pool.SizeBytes}, units {Pool.UnitBytes}, kept {Pool.KeptBytes}";
        return text;
    }

    /// <summary>A simulated file as a device.</summary>
    /// <param name="image">The file.</param>
    /// <param name="name">For people.</param>
    /// <param name="isZeroInitialised">It is new.</param>
    /// <param name="sizeBytes">Less than the image has: it can grow. 0 = all.</param>
    public FileDevice Open(DiskImage image, string name, bool isZeroInitialised, ulong sizeBytes = 0)
    {
        Port.Add(image);
        BlockLimits limits = new()
        {
            CapacityBytes = (sizeBytes == 0 ? image.CapacityBytes : sizeBytes) + image.TailBytes,
            RequestAlignBytes = image.AlignBytes,
            BufferAlignBytes = image.AlignBytes,
            IsZeroInitialised = isZeroInitialised,
            CanTellSize = true,
            // Tight, a source: 10 for guests, 5 for one job, 1 for its map, 4 for readers of the snapshot.
            InFlightMax =
                !IsTight ? 256u
                : image.IsTarget ? 32u
                : 20u,
        };
        return new FileDevice(Reactor, name, limits, image.Handle, image.BufferedHandle, false, null);
    }

    /// <param name="capacityBytes">What it has.</param>
    /// <param name="isTarget">Or scratch space.</param>
    /// <param name="isVast">It says that it is as long as the longest clusters make it.</param>
    public DiskImage NewImage(ulong capacityBytes, bool isTarget, bool isVast = false)
    {
        FileThreads? threads = Shape.ThreadsPerFile > 0 ? new FileThreads(Shape.ThreadsPerFile, Tallies) : null;
        ulong tailBytes = isVast ? (65_536ul << Shape.VastClustersLog2) - capacityBytes : 0;
        uint alignBytes = _prng.Chance(1, 4) ? 4096u : 512u;
        return new DiskImage(_store, _nextFd++, capacityBytes, alignBytes, isTarget, threads) { TailBytes = tailBytes };
    }

    public LaterComparison NewComparison() => new(_store, new Prng(_prng.NextULong()), Tallies);

    public byte[] RentImage(ulong lengthBytes) => _store.Rent((int)lengthBytes);

    /// <summary>Also some whose guests were told already.</summary>
    bool AreWritesUnderWay() => Array.Exists(Disks.ToArray(), disk => disk.Disk.WritesInFlight != 0);

    GuestDisk MakeDisk(int index)
    {
        ulong capacity =
            _prng.Chance(1, 20) ? 1 + _prng.Below(8192)
            : _prng.Chance(1, 8) ? _prng.Below(4 << 20)
            : 65536 + _prng.Below(700_000);
        if (_prng.Chance(1, 2))
            capacity = Units.AlignUp(capacity, 4096);
        if (index > 0 && _prng.Chance(1, 2))
            capacity = Disks[0].CapacityBytes; // so that bitmaps can be merged across disks
        DiskImage image = NewImage(capacity, isTarget: false);
        ulong sizeBytes = _prng.Chance(1, 4) ? capacity - _prng.Below(capacity / 2 + 1) : capacity;
        FileDevice device = Open(image, "disk" + index, isZeroInitialised: false, sizeBytes);
        uint slotCount = IsTight ? 32 : 2u << (int)_prng.Below(5);
        Disk disk = new(Reactor, device, "disk" + index, slotCount, Shape.AbsorbBytes);
        Shadow shadow = new(index, capacity);
        Fill(image, shadow, index);
        bool hasHook = !IsTight && _prng.Chance(2, 3);
        image.HasPageCache = !hasHook; // a hook-mode host writes past the engine: nobody could order its pages
        return new GuestDisk(index, image, device, disk, shadow)
        {
            HasHookMode = hasHook,
            HasDeviceMode = !hasHook || _prng.Chance(1, 2),
            OperationBytesMax = (uint)Math.Min(GuestLoad.BufferBytes, 1024u << (int)_prng.Below(7)),
            AlignBytes = _prng.Chance(2, 3) ? 512u : 4096u,
            HotPart = _prng.Chance(1, 3) ? 80u : 0,
            CanDiscard = _prng.Chance(1, 2),
            CanZero = _prng.Chance(1, 2),
            CanRead = _prng.Chance(1, 2),
        };
    }

    /// <summary>Runs of data, of written zeroes, and of holes.</summary>
    void Fill(DiskImage image, Shadow shadow, int index)
    {
        for (ulong offset = 0; offset < image.CapacityBytes; )
        {
            ulong length = Math.Min(image.CapacityBytes - offset, (1 + _prng.Below(24)) * DiskImage.BlockBytes);
            ulong kind = _prng.Below(4);
            if (kind == 1)
                image.Zero(offset, length);
            if (kind >= 2)
            {
                image.Zero(offset, length);
                Span<byte> bytes = image.Content.Slice((int)offset, (int)length);
                Sector.Fill(bytes, index, (uint)(offset / Sector.Bytes), 0);
            }
            shadow.SetInitial(offset, length, isZero: kind < 2);
            offset += length;
        }
    }
}
