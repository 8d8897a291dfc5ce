// The way of a chunk from its claim to its end: every completed request of the copy comes here, and what follows.
//
//   Read       -> Reading, each piece captured and released by itself -> for the background Writing, else Captured
//   Captured   -> Writing, when the capture queue says so;  or Spilling -> in scratch -> Recalling -> Writing
//   Writing    -> done;  set back, if a guest cannot have overwritten it yet;  else Parked -> Writing, or given up
//   MakeZero   -> Zeroing -> done, or Parked
//
// What was captured ahead of a cluster, block by block, becomes one with it when it is captured (BlockCapture).
//
// The parts do the work and say what became of it; none of them calls back.
// Cost: O(1) a request, and a cluster of a run. Nothing is allocated after construction.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
sealed class ChunkLife : IBlockOwner, IDisposable
{
    const uint DroppedChunksMax = 128; // in one piece
    const uint DroppedRunsMax = 2048;
    const uint RestMax = 4; // the job's walk frees more for less: this is for when there is none, or it is slow

    readonly CopyMap _map;
    readonly CopyRules _rules;
    readonly Tracer _trace;
    readonly TargetWriter _writer;
    CopyCounters _counters;
    ulong _atDevicesBytes;
    bool _isPumping;

    /// <inheritdoc cref="CopyEngine(IBlockDevice, IBlockDevice, CopyMap, BufferPool, CopyRules, Tracer)"/>
    public ChunkLife(
        IBlockDevice source,
        IBlockDevice target,
        CopyMap map,
        BufferPool pool,
        CopyRules rules,
        Tracer trace
    )
    {
        (_map, _rules, _trace) = (map, rules, trace);
        Tasks = new TaskTable(map, rules, pool.SizeBytes);
        Memory = new CopyMemory(pool, rules, source.Limits.RequestAlignBytes, this);
        Marks = new ChunkMarks(map, trace);
        Zeroes = new KnownZeroes(map, trace);
        Reader = new SourceReader(source, map, Memory, Tasks, this);
        _writer = new TargetWriter(target, Memory, map.ClusterBytes);
        try
        {
            Spill = rules.Scratch is { } space ? new SpillQueue(space, map, Tasks, Memory, trace) : null;
            Blocks = BlockCapture.Create(source, map, pool, Memory, rules, trace);
        }
        catch (InsufficientMemoryException)
        {
            Spill?.Dispose();
            Tasks.Dispose();
            throw;
        }
        Captures = new CaptureQueue(pool, rules, Memory, Tasks, Spill);
    }

    public TaskTable Tasks { get; }

    public CopyMemory Memory { get; }

    public ChunkMarks Marks { get; }

    public KnownZeroes Zeroes { get; }

    public SourceReader Reader { get; }

    public CaptureQueue Captures { get; }

    public SpillQueue? Spill { get; }

    /// <summary>Null: guests' writes are captured in whole clusters.</summary>
    public BlockCapture? Blocks { get; }

    public IBufferWaiter? Waiter { get; set; }

    public ulong InFlightBytes { get; private set; }

    public ulong DeviceBytes => _atDevicesBytes + Reader.GuestReadBytes + (Blocks?.ReadingBytes ?? 0);

    public uint ParkedCount { get; private set; }

    public bool IsDropped =>
        Captures.IsDropping && Captures.Waiting.First == null && Spill is not { WaitingCount: > 0 } && !Zeroes.HasSome;

    public bool IsOrphaned { get; private set; }

    /// <summary>
    /// Memory for captured blocks runs short and nothing else is on its way to the target: their clusters are next.
    /// </summary>
    public bool WantsRest =>
        Blocks is { IsPressed: true }
        && Captures is { IsDropping: false, IsTargetHeld: false, Waiting.First: null }
        && Spill is not { WaitingCount: > 0 }
        && Reader.RestCount + Captures.WritingCount < Math.Min(RestMax, _rules.TargetMax);

    public bool SkipsZeroes => _writer.SkipsZeroes;

    public ref readonly CopyCounters Counters => ref _counters;

    /// <summary>The chunk is claimed, and one of the three below follows.</summary>
    public void Begin(CopyTask task) => InFlightBytes += task.Extent.LengthBytes;

    /// <summary>Reads it into memory, for which there is room.</summary>
    public void Read(CopyTask task)
    {
        Memory.Take(task);
        Tasks.Index(task);
        if (task.Lane == CopyLane.Background)
            EnterDevices(task);
        Reader.Start(task);
    }

    /// <summary>As read: these are its bytes.</summary>
    public void TakeOver(CopyTask task, ReadOnlySpan<byte> bytes)
    {
        Memory.Take(task);
        Tasks.Index(task);
        bytes.CopyTo(Memory.Span(task, 0, task.Extent.LengthBytes));
        _counters.OfferedBytes += task.Extent.LengthBytes;
        _counters.ReadBytes -= task.Extent.LengthBytes; // which Capture adds: it was not read here
        Capture(task, 0);
        OnAllRead(task);
    }

    /// <summary>They were zero: the target is to be so, too, and nobody waits for that.</summary>
    public void MakeZero(CopyTask task)
    {
        task.Captured = task.Pieces.All;
        task.Released = task.Pieces.All; // since that was known
        Tasks.AddZeroing(task);
        EnterDevices(task);
        _writer.StartZeroing(task);
    }

    /// <inheritdoc cref="CopyEngine.TryLearnZeroes"/>
    public bool TryLearnZeroes(
        ulong firstCluster,
        ulong endCluster,
        ulong clusterMax,
        ICopyOwner owner,
        out Extent learned
    )
    {
        if (!Zeroes.TryLearn(firstCluster, endCluster, clusterMax, isToBeWritten: !SkipsZeroes, owner, out learned))
            return false;
        if (!SkipsZeroes)
            return true;
        _counters.SkippedZeroBytes += learned.LengthBytes;
        owner.OnCopied(new CopyOutcome(learned, CopyLane.Background, CopyEnd.Done, Fault.None, 0));
        return true;
    }

    /// <inheritdoc cref="CopyEngine.Retry"/>
    public void Retry(ulong taskKey)
    {
        CopyTask task = Unpark(taskKey);
        _trace.Emit(TracePoint.Retry, task.Extent);
        task.ResetWrite();
        EnterDevices(task);
        if (task.Lease.IsNone)
            _writer.StartZeroing(task);
        else
            StartWriting(task);
    }

    /// <inheritdoc cref="CopyEngine.Abandon"/>
    public void Abandon(ulong taskKey)
    {
        CopyTask task = Unpark(taskKey);
        _trace.Emit(TracePoint.Abandon, task.Extent);
        Finish(task, CopyEnd.TargetFailed);
    }

    /// <inheritdoc cref="CopyEngine.DropPiece"/>
    public bool DropPiece()
    {
        Captures.IsDropping = true;
        Blocks?.Close();
        for (uint count = 0; count < DroppedChunksMax && Captures.Waiting.First is { } task; count++)
        {
            Captures.Waiting.Remove(task);
            _trace.Emit(TracePoint.Abandon, task.Extent);
            Finish(task, CopyEnd.TargetFailed);
        }
        if (Captures.Waiting.First == null)
            InFlightBytes -= Spill?.Drop(DroppedRunsMax) ?? 0;
        Zeroes.Drop();
        return IsDropped;
    }

    /// <inheritdoc cref="CopyEngine.Orphan"/>
    public void Orphan()
    {
        Check.That(ParkedCount == 0);
        Check.That(IsDropped);
        InFlightBytes = 0;
        for (uint slot = 0; slot < Tasks.Capacity; slot++)
        {
            if (!Tasks.TryGetAt(slot, out CopyTask task))
                continue;
            InFlightBytes += task.Extent.LengthBytes;
            // Of a chunk that is being read nothing was set back yet, neither what failed nor what is not there yet.
            bool isAll = task.Step == CopyTask.State.Reading || task.Captured == 0;
            ulong live = isAll ? task.Pieces.All : task.Captured;
            while (task.Pieces.TryTakeRun(ref live, out ulong first, out ulong count))
                Marks.SetBack(task, first, count, new Fault(FaultKind.Canceled));
        }
        IsOrphaned = true;
        Blocks?.Orphan();
    }

    public void Dispose()
    {
        Tasks.Dispose();
        Spill?.Dispose();
        Blocks?.Dispose();
    }

    /// <summary>The one place where requests of chunks end, whichever device they were for.</summary>
    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        CopyTask.Split(userData, out ulong key, out uint piece);
        CopyTask task = Tasks.Get(key);
        if (IsOrphaned)
        {
            OnOrphanCompleted(task);
            return;
        }
        switch (task.Step)
        {
            case CopyTask.State.Reading:
                OnRead(task, piece, result.Fault);
                break;
            case CopyTask.State.Spilling:
                OnSpilled(task, result.Fault);
                break;
            case CopyTask.State.Recalling:
                OnRecalled(task, result.Fault);
                break;
            default:
                if (_writer.OnCompleted(task, result))
                    OnWritten(task);
                break;
        }
    }

    void OnRead(CopyTask task, uint piece, Fault fault)
    {
        task.PendingCount--;
        if (fault.IsNone && !task.Owner.IsSnapshotWhole)
            fault = new Fault(FaultKind.SnapshotLost, 0, task.Extent.OffsetBytes);
        if (fault.IsNone)
            Capture(task, piece);
        else if (task.FirstFault.IsNone)
            task.FirstFault = fault;
        if (task.PendingCount > 0)
            return;
        Reader.End(task);
        OnAllRead(task);
    }

    void Capture(CopyTask task, uint piece)
    {
        ulong set = 1UL << (int)piece;
        Extent extent = task.PieceExtent(_map, piece);
        task.Captured |= set;
        Blocks?.Merge(extent, Memory.Span(task, extent.OffsetBytes - task.Extent.OffsetBytes, extent.LengthBytes));
        _counters.ReadBytes += extent.LengthBytes;
        _trace.Emit(TracePoint.Capture, extent);
        if (_rules.ReleasePoint == ReleasePoint.Captured && (task.Released & set) == 0)
            Marks.Release(task, set);
    }

    void OnAllRead(CopyTask task)
    {
        if (task.Captured == 0)
        {
            Finish(task, CopyEnd.SourceFailed);
            return;
        }
        ulong failed = task.Pieces.All & ~task.Captured;
        Fault fault = task.FirstFault;
        task.FirstFault = Fault.None;
        task.Step = CopyTask.State.Captured;
        if (failed != 0)
            SetBackFailed(task, failed, fault);
        if (task.Lane == CopyLane.Background)
            StartWriting(task);
        else
            WaitForTarget(task);
    }

    /// <summary>Part of a chunk could not be read: that part ends here, the rest goes on without it.</summary>
    void SetBackFailed(CopyTask task, ulong failed, Fault fault)
    {
        ulong rest = failed;
        while (task.Pieces.TryTakeRun(ref rest, out ulong first, out ulong count))
        {
            Marks.SetBack(task, first, count, fault);
            Tasks.Unindex(first, count);
            InFlightBytes -= _map.Bytes(first, count).LengthBytes;
        }
        // Told after all is in order: the owner may start copies of these very clusters.
        while (task.Pieces.TryTakeRun(ref failed, out ulong first, out ulong count))
            task.Owner.OnCopied(new CopyOutcome(_map.Bytes(first, count), task.Lane, CopyEnd.SourceFailed, fault, 0));
    }

    /// <summary>A chunk that was read for a guest: in memory now.</summary>
    void WaitForTarget(CopyTask task)
    {
        task.Step = CopyTask.State.Captured;
        if (Captures.IsDropping)
        {
            Finish(task, CopyEnd.TargetFailed);
            return;
        }
        Captures.Waiting.Append(task);
        Pump();
    }

    /// <summary>Hands to the target what may go there now: also after the pacer has changed its mind.</summary>
    public void Pump()
    {
        if (_isPumping || Captures.IsDropping)
            return;
        _isPumping = true;
        while (Captures.Waiting.First is { } task && Captures.MayWrite(DeviceBytes, task.Extent.LengthBytes))
        {
            Captures.Waiting.Remove(task);
            EnterDevices(task);
            StartWriting(task);
        }
        while (
            Captures.TryPeekSpilled(out ulong needBytes)
            && Captures.MayWrite(DeviceBytes, needBytes)
            && Captures.HasRoomToRecall(needBytes, Waiter)
        )
        {
            CopyTask task = Spill!.TakeFirst();
            EnterDevices(task);
            Spill.Recall(task);
        }
        Captures.Spill();
        _isPumping = false;
    }

    void OnSpilled(CopyTask task, Fault fault)
    {
        switch (Spill!.OnSpilled(task, fault, Captures.IsDropping))
        {
            case SpillEnd.Kept:
                WaitForTarget(task);
                break;
            case SpillEnd.Dropped:
                Finish(task, CopyEnd.TargetFailed);
                break;
            default:
                _counters.SpilledBytes += task.Extent.LengthBytes;
                FreeTask(task); // wakes who waits for memory
                Pump();
                break;
        }
    }

    void OnRecalled(CopyTask task, Fault fault)
    {
        task.PendingCount = 0;
        if (fault.IsNone)
        {
            _trace.Emit(TracePoint.Recall, task.Extent);
            StartWriting(task);
            return;
        }
        task.FirstFault = fault;
        Finish(task, CopyEnd.TargetFailed);
    }

    void StartWriting(CopyTask task)
    {
        if (_writer.Start(task))
            OnWritten(task);
    }

    /// <summary>Nothing of the chunk is at the target any more.</summary>
    void OnWritten(CopyTask task)
    {
        if (task.FirstFault.IsNone)
            Finish(task, CopyEnd.Done);
        else if (task.Released != 0)
            Park(task);
        else
            Finish(task, CopyEnd.TargetFailed);
    }

    void Park(CopyTask task)
    {
        task.Step = CopyTask.State.Parked;
        _trace.Emit(TracePoint.Park, task.Extent, task.FirstFault.Errno);
        ParkedCount++;
        LeaveDevices(task);
        task.Owner.OnCopied(new CopyOutcome(task.Extent, task.Lane, CopyEnd.Parked, task.FirstFault, task.Key));
        Pump();
    }

    CopyTask Unpark(ulong taskKey)
    {
        CopyTask task = Tasks.Get(taskKey);
        Check.That(task.Step == CopyTask.State.Parked);
        ParkedCount--;
        return task;
    }

    /// <summary>The end of a chunk: its bits, its memory, its task, and then its owner is told.</summary>
    void Finish(CopyTask task, CopyEnd end)
    {
        LeaveDevices(task);
        if (end == CopyEnd.Done)
            _counters.Add(task, task.LiveBytes(_map));
        // A chunk that nothing was read of is set back whole; else what was not read has been set back already.
        ulong live = task.Captured == 0 ? task.Pieces.All : task.Captured;
        InFlightBytes -= task.LiveBytes(_map);
        bool wasInScratch = task.ScratchEntry != ScratchSpace.NoEntry;
        for (ulong rest = live; task.Pieces.TryTakeRun(ref rest, out ulong first, out ulong count); )
        {
            if (end == CopyEnd.Done)
                Marks.End(task, first, count);
            else
                Marks.SetBack(task, first, count, task.FirstFault);
            if (wasInScratch)
                Spill!.Unindex(first, count);
            else if (!task.Lease.IsNone)
                Tasks.Unindex(first, count);
        }
        (ICopyOwner owner, CopyLane lane, Fault fault) = (task.Owner, task.Lane, task.FirstFault);
        PieceMap pieces = task.Pieces;
        bool wasRead = !task.Lease.IsNone;
        FreeTask(task);
        while (pieces.TryTakeRun(ref live, out ulong first, out ulong count))
            owner.OnCopied(new CopyOutcome(_map.Bytes(first, count), lane, end, fault, 0) { WasRead = wasRead });
        Pump();
    }

    void OnOrphanCompleted(CopyTask task)
    {
        Check.That(task.PendingCount > 0);
        if (--task.PendingCount > 0)
            return;
        InFlightBytes -= task.Extent.LengthBytes;
        FreeTask(task);
    }

    void FreeTask(CopyTask task)
    {
        if (task.ScratchEntry != ScratchSpace.NoEntry && !IsOrphaned)
            Spill!.Free(task.ScratchEntry);
        if (task.Lane == CopyLane.Background && task.Lease.IsNone)
            Tasks.RemoveZeroing(task);
        Memory.Return(task);
        Tasks.Free(task);
    }

    /// <summary>From here on the chunk counts in <see cref="DeviceBytes"/>.</summary>
    void EnterDevices(CopyTask task)
    {
        Check.That(!task.IsAtDevices);
        task.IsAtDevices = true;
        _atDevicesBytes += task.Extent.LengthBytes;
        if (task.Lane != CopyLane.Background)
            Captures.BeginWriting();
    }

    void LeaveDevices(CopyTask task)
    {
        if (!task.IsAtDevices)
            return;
        task.IsAtDevices = false;
        _atDevicesBytes -= task.Extent.LengthBytes;
        if (task.Lane != CopyLane.Background)
            Captures.EndWriting(task.Extent.LengthBytes);
    }
}
