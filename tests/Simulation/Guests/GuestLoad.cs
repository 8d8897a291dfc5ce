// The guests: issues operations that the seed draws, follows each to its end, and keeps the disks' histories.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Guests;

sealed class GuestLoad
{
    public const int BufferBytes = 64 * 1024;
    const int OperationCount = 24;
    const ulong Slack = 20 * Units.NsPerMs;

    readonly Simulation _world;
    readonly Prng _prng;
    readonly List<GuestOperation> _idle = [];
    readonly List<GuestOperation> _busy = [];
    readonly List<GuestOperation> _hostStalled = [];

    public GuestLoad(Simulation world, Prng prng, AlignedRegion memory)
    {
        (_world, _prng) = (world, prng);
        for (int i = 0; i < OperationCount; i++)
            _idle.Add(new GuestOperation(this, memory.Start + i * BufferBytes));
    }

    public static ulong MemoryBytes => OperationCount * BufferBytes;

    public bool IsQuiet => _idle.Count == OperationCount;

    public bool HasIdle => _idle.Count > 0;

    /// <summary>Under way, oldest first.</summary>
    public IReadOnlyList<GuestOperation> Busy => _busy;

    public int UnderWay => OperationCount - _idle.Count;

    /// <summary>Draws one operation and begins it.</summary>
    public void Issue(GuestDisk disk)
    {
        RetryHostWrites();
        if (_idle.Count == 0)
            return;
        GuestOperation operation = _idle[^1];
        operation.Target = disk;
        DrawOperation(operation, disk);
        DrawExtent(operation, disk);
        if (operation.IsHook)
            BeginHook(operation);
        else
            BeginDevice(operation);
    }

    void DrawOperation(GuestOperation operation, GuestDisk disk)
    {
        operation.IsHook = disk.HasHookMode && (!disk.HasDeviceMode || _prng.Chance(1, 2));
        ulong roll = _prng.Below(100);
        operation.Operation =
            roll < 8 && disk.CanZero ? BlockOperation.WriteZeroes
            : roll < 16 && disk.CanDiscard ? BlockOperation.Discard
            : roll < 30 && disk.CanRead && !operation.IsHook ? BlockOperation.Read
            : roll < 32 && !operation.IsHook ? BlockOperation.Flush
            : BlockOperation.Write;
        if (operation.IsHook)
            operation.Operation = BlockOperation.Write;
    }

    void DrawExtent(GuestOperation operation, GuestDisk disk)
    {
        ulong capacity = disk.SizeBytes;
        ulong align = _prng.Chance(7, 8) ? disk.AlignBytes : 1;
        ulong limit = _prng.Chance(3, 4)
            ? Math.Max(align, disk.OperationBytesMax / 8)
            : Math.Max(align, disk.OperationBytesMax);
        ulong length = Math.Min(capacity, Units.AlignUp(_prng.Between(align, limit), align));
        if (_prng.Chance(1, 200))
            length = 0;
        ulong span = _prng.Below(100) < disk.HotPart ? Math.Max(capacity / 8, length) : capacity;
        ulong offset = Units.AlignDown(_prng.Below(span - length + 1), align);
        if (_prng.Chance(1, 40))
            offset = capacity - length; // the tail, whatever its alignment
        operation.Extent = new Extent(offset, length);
        if (operation.Operation == BlockOperation.Read && _prng.Chance(1, 2))
            DrawWholeClusters(operation, capacity);
    }

    /// <summary>A read that a point in time may take over: of what is just being written, if possible.</summary>
    void DrawWholeClusters(GuestOperation operation, ulong capacity)
    {
        ulong offset = _prng.Below(capacity);
        if (_busy.Count > 0)
            offset = Math.Min(offset, _busy[(int)_prng.Below((ulong)_busy.Count)].Extent.OffsetBytes);
        offset = Units.AlignDown(offset, 16384);
        ulong length = Math.Min(capacity - offset, 16384ul << (int)_prng.Below(3));
        operation.Extent = new Extent(offset, Math.Min(length, BufferBytes));
    }

    void BeginHook(GuestOperation operation)
    {
        GuestDisk disk = operation.Target;
        Start(operation);
        _world.Port.IsOnGuestsThread = true;
        Grant grant = disk.Disk.BeginWrite(
            operation.Extent.OffsetBytes,
            operation.Extent.LengthBytes,
            operation,
            operation.Sequence,
            out Fault fault
        );
        _world.Port.IsOnGuestsThread = false;
        _world.Log?.Invoke($"guest {operation.Sequence} hook write {Show(operation.Extent)}: {grant} {fault}");
        operation.IsAsking = grant == Grant.Pending;
        if (grant == Grant.Granted)
            OnGranted(operation, isLate: false);
        else if (grant == Grant.Refused)
            Refuse(operation, fault);
    }

    void BeginDevice(GuestOperation operation)
    {
        GuestDisk disk = operation.Target;
        Start(operation);
        GuestRequest request = default;
        request.Operation = operation.Operation;
        operation.IsDurable = _prng.Chance(1, 16);
        request.Flags = operation.IsDurable ? BlockFlags.Fua : BlockFlags.None;
        if (operation.Operation == BlockOperation.WriteZeroes && _prng.Chance(1, 2))
            request.Flags |= BlockFlags.MayUnmap;
        request.OffsetBytes = operation.Extent.OffsetBytes;
        request.LengthBytes = operation.Extent.LengthBytes;
        request.Buffer = operation.Buffer;
        request.Owner = operation;
        request.UserData = operation.Sequence;
        _world.Port.IsOnGuestsThread = true;
        Fault fault = disk.Disk.Submit(request);
        _world.Port.IsOnGuestsThread = false;
        _world.Log?.Invoke(
            $"guest {operation.Sequence} {operation.Operation} disk {disk.Index} {Show(operation.Extent)} {fault}"
        );
        if (fault.IsFault)
            Refuse(operation, fault);
    }

    unsafe void Start(GuestOperation operation)
    {
        GuestDisk disk = operation.Target;
        _idle.RemoveAt(_idle.Count - 1);
        disk.OperationsInFlight++;
        operation.BegunNs = _world.Clock.NowNs;
        operation.ClosedNsAtBegin = disk.ClosedNs(operation.BegunNs);
        (operation.WaitLimitNs, operation.IsUnbounded, operation.StalledTurns) = (0, false, 0);
        operation.IsAsking = false;
        foreach (PointInTime point in disk.Points)
            operation.Meet(point);
        operation.IsUnbounded |= disk.Disk.HasAbsorbed(operation.Extent); // for those a device has no limit
        (operation.IsDurable, operation.IsOverlapped) = (false, false);
        foreach (GuestOperation other in _busy)
            if (ReferenceEquals(other.Target, disk) && other.IsChange && other.Extent.Overlaps(operation.Extent))
                operation.IsOverlapped = other.IsOverlapped = true;
        _busy.Add(operation);
        operation.Sequence = disk.Shadow.Begin(operation.IsZero);
        if (operation.IsChange)
            disk.Shadow.BeginParts(operation.Extent);
        if (operation.Operation == BlockOperation.Flush)
            disk.Cache.OnFlushBegun(operation);
        _world.Tallies.GuestOperations++;
        int length = (int)operation.Extent.LengthBytes;
        if (operation.Operation == BlockOperation.Read)
        {
            uint first = (uint)(operation.Extent.OffsetBytes / Sector.Bytes);
            for (uint i = 0; i <= length / Sector.Bytes && first + i < disk.Shadow.SectorCount && i < 128; i++)
                operation.Floors[i] = disk.Shadow.FloorOf(first + i);
        }
        if (operation.Operation != BlockOperation.Write)
            return;
        // The operation owns its buffer until it ends.
        Span<byte> bytes = new((void*)operation.Buffer, length);
        uint lead = (uint)(operation.Extent.OffsetBytes % Sector.Bytes);
        uint sector = (uint)(operation.Extent.OffsetBytes / Sector.Bytes);
        if (lead == 0)
        {
            Sector.Fill(bytes, disk.Index, sector, operation.Sequence);
            int tail = length % Sector.Bytes;
            bytes[^tail..].Fill((byte)operation.Sequence);
            return;
        }
        // Not on a sector: bytes that differ from write to write; the shadow does not judge the sectors cut.
        int head = (int)Math.Min(Sector.Bytes - lead, (uint)length);
        bytes[..head].Fill((byte)operation.Sequence);
        Span<byte> rest = bytes[head..];
        Sector.Fill(rest, disk.Index, sector + 1, operation.Sequence);
        rest[^(rest.Length % Sector.Bytes)..].Fill((byte)operation.Sequence);
    }

    void Refuse(GuestOperation operation, Fault fault)
    {
        if (fault.Kind != FaultKind.QueueFull)
            throw new SimulationFailure("O4", $"a guest operation was refused with {fault}");
        _world.Tallies.Count(Mishap.SlotsExhausted);
        _world.Tallies.GuestOperations--; // it was none: it comes again later, as another one
        Finish(operation, isOk: false, isDenied: true);
    }

    /// <summary>Hook mode: the host writes now.</summary>
    public void OnGranted(GuestOperation operation, bool isLate)
    {
        _world.Tallies.Count(isLate ? Branch.GrantedLater : Branch.GrantedAtOnce);
        operation.Target.HookWritesInFlight++;
        CheckWait(operation);
        PushHostWrite(operation);
    }

    void PushHostWrite(GuestOperation operation)
    {
        if (operation.Extent.IsEmpty)
        {
            OnHostWritten(operation, true);
            return;
        }
        FileCommand command = default;
        command.Operation = FileOperation.Write;
        command.File = operation.Target.Image.HostHandle;
        command.OffsetBytes = operation.Extent.OffsetBytes;
        command.LengthBytes = operation.Extent.LengthBytes;
        command.Buffer = operation.Buffer;
        command.Owner = operation;
        if (!_world.Port.TryPush(command))
            _hostStalled.Add(operation);
    }

    public void RetryHostWrites()
    {
        if (_hostStalled.Count == 0)
            return;
        GuestOperation[] stalled = [.. _hostStalled];
        _hostStalled.Clear();
        foreach (GuestOperation operation in stalled)
            PushHostWrite(operation);
    }

    public void OnHostWritten(GuestOperation operation, bool isWritten)
    {
        // The history first: EndWrite may let a quiesced moment happen that looks at it.
        operation.Target.HookWritesInFlight--;
        Record(operation, isLanded: true, isWritten);
        Disk disk = operation.Target.Disk;
        Finish(operation, isWritten, isDenied: false);
        _world.Port.IsOnGuestsThread = true;
        disk.EndWrite();
        _world.Port.IsOnGuestsThread = false;
    }

    /// <summary>Device mode: done; hook mode: denied.</summary>
    public void OnEnded(GuestOperation operation, Fault fault)
    {
        _world.Log?.Invoke($"guest {operation.Sequence} ends: {fault}");
        bool isDenied = fault.IsFault && (operation.IsHook || fault.Kind == FaultKind.TimedOut);
        if (operation.IsChange)
        {
            CheckWait(operation);
            if (fault.IsFault)
                _world.Judge.OnGuestFailed(operation, fault, isDenied);
            if (!isDenied)
                Record(operation, isLanded: fault.IsNone, fault.IsNone);
            if (fault.IsNone && operation is { IsDurable: true, IsOverlapped: false })
                CheckDurable(operation);
            if (fault.IsNone)
                operation.Target.Cache.OnAnswered(operation);
        }
        else if (operation.Operation == BlockOperation.Read && fault.IsNone)
        {
            JudgeRead(operation);
        }
        else if (operation.Operation == BlockOperation.Flush && fault.IsNone)
        {
            operation.Target.Cache.OnFlushDone(operation, _world.Tallies);
        }
        Finish(operation, fault.IsNone, isDenied);
    }

    /// <summary>O20: force unit access. A discard is a hint, and may have left what was there.</summary>
    void CheckDurable(GuestOperation operation)
    {
        if (operation.Operation != BlockOperation.Discard && !operation.Target.Image.IsFlushed(operation.Extent))
            throw new SimulationFailure(
                "O20",
                $"guest {operation.Operation} {operation.Sequence} is answered as durable and is not"
            );
        _world.Tallies.Count(Branch.DurableVerified);
    }

    static void Record(GuestOperation operation, bool isLanded, bool isOk)
    {
        foreach (BitmapModel bitmap in operation.Target.Bitmaps)
            bitmap.OnWrite(operation.Extent, isCertain: isLanded || isOk);
    }

    void Finish(GuestOperation operation, bool isOk, bool isDenied)
    {
        GuestDisk disk = operation.Target;
        disk.Shadow.End(
            operation.Sequence,
            isOk && operation.IsChange,
            isDenied || !operation.IsChange,
            operation.IsZero,
            operation.Operation == BlockOperation.Discard,
            operation.Extent.OffsetBytes,
            operation.Extent.LengthBytes
        );
        disk.OperationsInFlight--;
        _busy.Remove(operation);
        _idle.Add(operation);
    }

    unsafe void JudgeRead(GuestOperation operation)
    {
        GuestDisk disk = operation.Target;
        ulong at = Units.AlignUp(operation.Extent.OffsetBytes, Sector.Bytes);
        uint first = (uint)(operation.Extent.OffsetBytes / Sector.Bytes);
        for (; at + Sector.Bytes <= operation.Extent.EndBytes; at += Sector.Bytes)
        {
            uint sector = (uint)(at / Sector.Bytes);
            if (sector >= disk.Shadow.SectorCount || sector - first >= operation.Floors.Length)
                break;
            nint address = operation.Buffer + (nint)(at - operation.Extent.OffsetBytes);
            ReadOnlySpan<byte> bytes = new((void*)address, Sector.Bytes);
            if (disk.Shadow.Judge(sector, bytes, operation.Floors[sector - first], mayBeTorn: true) is { } wrong)
                throw new SimulationFailure("O4", $"guest read of disk {disk.Index} sector {sector}: {wrong}");
        }
        _world.Tallies.Count(Branch.GuestReadVerified);
    }

    /// <summary>O9: no longer than the limits of all points in time that it met, and their gates, together.</summary>
    void CheckWait(GuestOperation operation)
    {
        ulong limit = operation.WaitLimitNs;
        if (operation.IsUnbounded || !operation.IsHook)
            return;
        ulong waited = _world.Clock.NowNs - operation.BegunNs;
        ulong closed = operation.Target.ClosedNs(_world.Clock.NowNs) - operation.ClosedNsAtBegin;
        if (waited > limit + closed + Slack)
            throw new SimulationFailure(
                "O9",
                $"guest write {operation.Sequence} waited {waited} ns, limit {limit}, gate closed {closed}"
            );
    }

    static string Show(in Extent extent) => $"{extent.OffsetBytes}+{extent.LengthBytes}";
}
