// Captured data on its way to the target: guests have been let go, so nobody waits for it, and it is written as
// background traffic, oldest first, when the job's pacer says so: between guests' requests. The fuller memory is, the
// more chunks are written at once whatever the pacer says, so that what comes and what goes balance at the smallest
// load that does it. When memory runs short it is written as fast as the target takes it, and goes to the scratch file
// as well.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Copy;

public sealed partial class CopyEngine
{
    readonly CapturedList _captured = new();
    uint _writingCount; // captured chunks at the target
    ulong _cbwReadBytes; // being read for guests
    bool _isPumping;
    bool _isDropping;
    bool _isOrphaned;

    /// <summary>Memory that guests' copies hold now, in whole units of the pool.</summary>
    public ulong CaptureBytes { get; private set; }

    /// <summary>The most of it at once so far.</summary>
    public ulong CapturePeakBytes { get; private set; }

    /// <summary>Captured chunks that wait for their turn at the target, those in scratch space not counted.</summary>
    public uint CapturedCount => _captured.Count;

    /// <summary>The most that they may hold.</summary>
    public ulong CaptureLimitBytes => Math.Min(_rules.CaptureBytesMax, _pool.SizeBytes);

    /// <summary>Chunks that are being read for guests that wait.</summary>
    public uint GuestReadCount { get; private set; }

    /// <summary>Chunks of the background in flight.</summary>
    public uint BackgroundCount => _backgroundCount;

    /// <summary>Says when captured data may go to the target; null = always.</summary>
    public ICopyPacer? Pacer { get; set; }

    /// <summary>The target refuses for the time being: captured data stays where it is, or goes to scratch.</summary>
    public bool IsTargetHeld { get; set; }

    /// <summary>The job has ended without what the kernel still holds; see <see cref="Orphan"/>.</summary>
    public bool IsOrphaned => _isOrphaned;

    ulong CaptureLeftBytes => _rules.CaptureBytesMax - Math.Min(CaptureBytes, _rules.CaptureBytesMax);

    /// <summary>So much waits for the target that the background should not add to it.</summary>
    bool IsCapturePiledUp =>
        _captured.LengthBytes * 2 > Math.Min(_rules.ReserveBytes, _rules.CaptureBytesMax)
        || (_rules.Scratch?.WaitingCount ?? 0) > 0;

    /// <summary>Memory for guests' copies is running short: the target's speed matters now.</summary>
    bool IsPressed =>
        _pool.FreeBytes * 2 < _rules.ReserveBytes || CaptureBytes / 2 > _rules.CaptureBytesMax / 4 || IsCrowded;

    /// <summary>Guests' copies are so many and so small that tasks run short before memory does.</summary>
    bool IsCrowded => _tasks.TakenCount - _backgroundCount - _spillingCount > _rules.CaptureMax - _rules.CaptureMax / 4;

    void CountCapture(ulong addedBytes)
    {
        CaptureBytes += addedBytes;
        CapturePeakBytes = Math.Max(CapturePeakBytes, CaptureBytes);
    }

    /// <summary>Where the old data of a cluster that a guest may have overwritten is. Cost: O(1).</summary>
    public CapturedPlace PlaceOf(ulong cluster)
    {
        if (!_index.TryGet(cluster, out ulong place))
            return _zeroingCount > 0 && FindZeroing(cluster) != null ? CapturedPlace.Memory : CapturedPlace.None;
        if (IsScratchPlace(place))
            return Planted.Is(PlantedBug.ScratchForgottenByReader) ? CapturedPlace.None : CapturedPlace.Scratch;
        CopyTask task = _tasks.Get(place);
        return task.HasReleased(cluster) ? CapturedPlace.Memory : CapturedPlace.None;
    }

    /// <summary>Copies captured data that has not reached the target yet out of our memory.</summary>
    /// <param name="offsetBytes">Device offset; its cluster's place is Memory.</param>
    /// <param name="destination">Filled as far as one chunk has it.</param>
    /// <returns>Bytes copied; 0 when its place is another.</returns>
    public unsafe ulong ReadCaptured(ulong offsetBytes, Span<byte> destination)
    {
        ulong cluster = offsetBytes / Map.ClusterBytes;
        if (PlaceOf(cluster) != CapturedPlace.Memory)
            return 0;
        if (!TryGetTask(cluster, out CopyTask task))
            task = FindZeroing(cluster)!;
        ulong start = offsetBytes - task.Extent.OffsetBytes;
        ulong end = EndOfRun(task, start, out bool isCaptured);
        Check.That(isCaptured);
        int lengthBytes = (int)Math.Min(end - start, (ulong)destination.Length);
        if (task.Lease.IsNone)
            destination[..lengthBytes].Clear();
        else
            // SAFETY: the chunk fits its buffer, which this task holds until it ends.
            new ReadOnlySpan<byte>(_pool.Address(task.Lease) + start, lengthBytes).CopyTo(destination);
        return (ulong)lengthBytes;
    }

    /// <summary>
    /// Gives up what is captured and not on its way to the target: the job ends without it. Its bits are set, as the
    /// record of what is missing; what is captured later is dropped as well.
    /// </summary>
    public void DropCaptured()
    {
        _isDropping = true;
        while (_captured.First is { } task)
        {
            _captured.Remove(task);
            _trace.Emit(TracePoint.Abandon, task.Extent);
            Finish(task, CopyEnd.TargetFailed);
        }
        DropScratch();
    }

    /// <summary>
    /// The owner leaves although the kernel still holds requests: from here on nothing is told, the map is not used,
    /// and each chunk's memory goes back to the pool when its last request has ended. What was in flight is marked
    /// again. Parked chunks must have been given up.
    /// </summary>
    public void Orphan()
    {
        Check.That(ParkedCount == 0);
        DropCaptured();
        StopWaiting();
        InFlightBytes = 0;
        for (uint slot = 0; slot < _tasks.Capacity; slot++)
        {
            if (!_tasks.TryGetAt(slot, out _, out CopyTask task))
                continue;
            InFlightBytes += task.Extent.LengthBytes;
            // Of a chunk that is being read nothing was set back yet, neither what failed nor what is not there yet.
            bool isAll = task.Step == CopyTask.State.Reading || task.Captured == 0;
            ulong live = isAll ? task.Pieces.All : task.Captured;
            while (task.Pieces.TryTakeRun(ref live, out ulong first, out ulong count))
                SetBack(task, first, count, new Fault(FaultKind.Canceled), isSource: false);
        }
        _isOrphaned = true;
    }

    void OnOrphanCompleted(CopyTask task)
    {
        Check.That(task.PendingCount > 0);
        if (--task.PendingCount > 0)
            return;
        InFlightBytes -= task.Extent.LengthBytes;
        FreeTask(task);
    }

    CopyTask? FindZeroing(ulong cluster)
    {
        Extent extent = Map.Bytes(cluster, 1);
        for (uint slot = 0; slot < _tasks.Capacity; slot++)
            if (_tasks.TryGetAt(slot, out _, out CopyTask task) && task.Lease.IsNone && task.Extent.Overlaps(extent))
                if (task.Lane == CopyLane.Background && task.Released != 0)
                    return task;
        return null;
    }

    /// <summary>A chunk that was read for a guest: in memory now.</summary>
    void WaitForTarget(CopyTask task)
    {
        task.Step = CopyTask.State.Captured;
        if (_isDropping)
        {
            Finish(task, CopyEnd.TargetFailed);
            return;
        }
        _captured.Append(task);
        Pump();
    }

    /// <summary>Hands to the target what may go there now: also after the pacer has changed its mind.</summary>
    public void Pump()
    {
        if (_isPumping || _isDropping)
            return;
        _isPumping = true;
        while (_captured.First is { } task && MayWrite(task.Extent.LengthBytes))
        {
            _captured.Remove(task);
            EnterDevices(task);
            StartWriting(task);
        }
        Recall();
        Spill();
        _isPumping = false;
    }

    bool MayWrite(ulong lengthBytes)
    {
        // A guest waits for the target itself where it is let go only then: it had better learn at once that it fails.
        bool isAwaited = _rules.ReleasePoint == ReleasePoint.Done;
        if ((IsTargetHeld && !isAwaited) || _isDropping || _writingCount >= _rules.TargetMax)
            return false;
        if (isAwaited || IsPressed || Pacer == null)
            return true;
        ulong roomBytes = Math.Max(1, Math.Min(_rules.ReserveBytes, _rules.CaptureBytesMax));
        ulong byFill = (ulong)((UInt128)_captured.LengthBytes * _rules.TargetMax / roomBytes);
        return _writingCount < byFill || Pacer.MayWrite(DeviceBytes, lengthBytes);
    }
}
