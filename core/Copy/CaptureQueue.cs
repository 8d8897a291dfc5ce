// Captured data on its way to the target: guests have been let go, so nobody waits for it, and it is written as
// background traffic, oldest first, when the job's pacer says so: between guests' requests. The fuller memory is, the
// more chunks are written at once whatever the pacer says, so that what comes and what goes balance at the smallest
// load that does it. When memory runs short it is written as fast as the target takes it, and goes to the scratch file
// as well.
// Cost: O(1) a chunk. Says what may go; the engine carries it out.
using System;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
/// <param name="pool">What memory is left.</param>
/// <param name="rules">Of the copy.</param>
/// <param name="memory">Of the copy.</param>
/// <param name="tasks">Of the copy.</param>
/// <param name="spill">Of the copy, or null.</param>
sealed class CaptureQueue(BufferPool pool, CopyRules rules, CopyMemory memory, TaskTable tasks, SpillQueue? spill)
{
    /// <summary>In memory, waiting.</summary>
    public CapturedList Waiting { get; } = new();

    /// <summary>Captured chunks at the target.</summary>
    public uint WritingCount { get; private set; }

    /// <summary>Says when captured data may go to the target; null = always.</summary>
    public ICopyPacer? Pacer { get; set; }

    /// <summary>The target refuses for the time being.</summary>
    public bool IsTargetHeld { get; set; }

    /// <summary>The job ends without what is captured.</summary>
    public bool IsDropping { get; set; }

    /// <summary>So much waits for the target that the background should not add to it.</summary>
    public bool IsPiledUp =>
        Waiting.LengthBytes * 2 > Math.Min(rules.ReserveBytes, rules.CaptureBytesMax) || spill is { WaitingCount: > 0 };

    /// <summary>Memory for guests' copies is running short: the target's speed matters now.</summary>
    bool IsPressed =>
        pool.FreeBytes * 2 < rules.ReserveBytes || memory.CaptureBytes / 2 > rules.CaptureBytesMax / 4 || IsCrowded;

    /// <summary>Guests' copies are so many and so small that tasks run short before memory does.</summary>
    bool IsCrowded => tasks.GuestCount - (spill?.SpillingCount ?? 0) > rules.CaptureMax - rules.CaptureMax / 4;

    /// <summary>So little is left for guests' copies that some should leave memory.</summary>
    bool IsTight(ulong spillingBytes)
    {
        ulong freeBytes = pool.FreeBytes + spillingBytes;
        ulong heldBytes = memory.CaptureBytes - Math.Min(spillingBytes, memory.CaptureBytes);
        return freeBytes < Math.Max(ClusterBytes, rules.ReserveBytes / 2)
            || heldBytes / 3 > rules.CaptureBytesMax / 4
            || heldBytes + ClusterBytes > rules.CaptureBytesMax
            || IsCrowded;
    }

    ulong ClusterBytes => rules.Scratch!.ClusterBytes;

    public void BeginWriting() => WritingCount++;

    public void EndWriting(ulong lengthBytes)
    {
        WritingCount--;
        Pacer?.OnWritten(lengthBytes);
    }

    /// <summary>Whether a chunk of this length may go to the target now.</summary>
    /// <param name="deviceBytes">What the devices have of this copy.</param>
    /// <param name="lengthBytes">Of the chunk.</param>
    public bool MayWrite(ulong deviceBytes, ulong lengthBytes)
    {
        // A guest waits for the target itself where it is let go only then: it had better learn at once that it fails.
        bool isAwaited = rules.ReleasePoint == ReleasePoint.Done;
        if ((IsTargetHeld && !isAwaited) || IsDropping || WritingCount >= rules.TargetMax)
            return false;
        if (isAwaited || IsPressed || Pacer == null)
            return true;
        ulong roomBytes = Math.Max(1, Math.Min(rules.ReserveBytes, rules.CaptureBytesMax));
        ulong byFill = (ulong)((UInt128)Waiting.LengthBytes * rules.TargetMax / roomBytes);
        return WritingCount < byFill || Pacer.MayWrite(deviceBytes, lengthBytes);
    }

    /// <summary>Sends the youngest to scratch while memory is tight.</summary>
    public void Spill()
    {
        if (spill == null || rules.ReleasePoint != ReleasePoint.Captured)
            return;
        while (Waiting.Last is { IsWhole: true } && IsTight(spill.SpillingBytes) && spill.TrySpillLast(Waiting))
            continue;
    }

    /// <summary>Whether what is in scratch has its turn, but for the target's leave.</summary>
    /// <param name="needBytes">What it needs in memory.</param>
    public bool TryPeekSpilled(out ulong needBytes)
    {
        needBytes = 0;
        return Waiting.First == null
            && spill != null
            && spill.TryPeekFirst(out needBytes)
            && tasks.HasRoom(CopyLane.CopyBeforeWrite);
    }

    /// <summary>Whether memory has room for it without taking what guests' copies need.</summary>
    /// <param name="needBytes">From <see cref="TryPeekSpilled"/>.</param>
    /// <param name="waiter">Called when it has, where it is only in pieces too small.</param>
    public bool HasRoomToRecall(ulong needBytes, IBufferWaiter? waiter)
    {
        ulong leftBytes = pool.FreeBytes - Math.Min(needBytes, pool.FreeBytes);
        if (leftBytes < rules.ReserveBytes / 2 && memory.CaptureBytes > 0)
            return false;
        if (memory.CaptureLeftBytes < (ulong)pool.UnitsFor(needBytes) * pool.UnitBytes)
            return false;
        if (pool.LongestFreeBytes(needBytes) >= needBytes)
            return true;
        if (waiter != null)
            pool.WaitForBuffer(waiter);
        return false;
    }
}
