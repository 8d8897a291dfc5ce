// The memory that one copy has of a shared pool: what each chunk holds, and what all chunks for guests hold together.
// Cost: that of the pool.
using System;
using System.Runtime.CompilerServices;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
/// <param name="pool">Shared with others.</param>
/// <param name="rules">What guests' copies may hold.</param>
/// <param name="readAlignBytes">A read at the end of the source is padded to it.</param>
/// <param name="owner">Told when a request is completed.</param>
sealed class CopyMemory(BufferPool pool, CopyRules rules, uint readAlignBytes, IBlockOwner owner)
{
    /// <summary>What guests' copies hold now, in whole units of the pool.</summary>
    public ulong CaptureBytes { get; private set; }

    /// <summary>The most of it at once so far.</summary>
    public ulong CapturePeakBytes { get; private set; }

    /// <summary>The most that they may hold.</summary>
    public ulong CaptureLimitBytes => Math.Min(rules.CaptureBytesMax, pool.SizeBytes);

    public ulong CaptureLeftBytes => rules.CaptureBytesMax - Math.Min(CaptureBytes, rules.CaptureBytesMax);

    /// <summary>What a chunk holds.</summary>
    public ulong Of(CopyTask task) => (ulong)task.Lease.UnitCount * pool.UnitBytes;

    /// <summary>For a chunk that there is room for.</summary>
    public void Take(CopyTask task)
    {
        ulong lengthBytes = Units.AlignUp(task.Extent.LengthBytes, readAlignBytes);
        Check.That(pool.TryRent(Math.Min(lengthBytes, pool.BufferBytes), out task.Lease));
        if (task.Lane == CopyLane.Background)
            return;
        CaptureBytes += Of(task);
        CapturePeakBytes = Math.Max(CapturePeakBytes, CaptureBytes);
    }

    /// <summary>Wakes who waits for memory.</summary>
    public void Return(CopyTask task)
    {
        if (task.Lease.IsNone)
            return;
        if (task.Lane != CopyLane.Background)
            CaptureBytes -= Of(task);
        BufferLease lease = task.Lease;
        task.Lease = default;
        pool.Return(lease);
    }

    /// <summary>Of <see cref="CaptureBytes"/>: kept until the job comes to what is in it.</summary>
    public ulong KeptBytes { get; private set; }

    /// <summary>Memory for blocks that are captured ahead of their clusters.</summary>
    /// <returns>False when no more may be kept; nobody is woken then, nor waits.</returns>
    public bool TryKeep(ulong lengthBytes, out BufferLease lease)
    {
        if (!pool.TryRentToKeep(lengthBytes, out lease))
            return false;
        ulong takenBytes = (ulong)lease.UnitCount * pool.UnitBytes;
        (KeptBytes, CaptureBytes) = (KeptBytes + takenBytes, CaptureBytes + takenBytes);
        CapturePeakBytes = Math.Max(CapturePeakBytes, CaptureBytes);
        return true;
    }

    /// <summary>Wakes who waits for memory.</summary>
    public void GiveBack(BufferLease lease)
    {
        ulong takenBytes = (ulong)lease.UnitCount * pool.UnitBytes;
        (KeptBytes, CaptureBytes) = (KeptBytes - takenBytes, CaptureBytes - takenBytes);
        pool.ReturnKept(lease);
    }

    /// <summary>A part of a chunk's data, until the chunk ends.</summary>
    public unsafe Span<byte> Span(CopyTask task, ulong startBytes, ulong lengthBytes)
    {
        Check.That(startBytes + lengthBytes <= Of(task));
        // SAFETY: the part lies within the memory that this task holds until it ends.
        return new Span<byte>(pool.Address(task.Lease) + startBytes, (int)lengthBytes);
    }

    /// <summary>Asks for the first line of a part that is looked at soon; beyond the chunk nothing happens.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public unsafe void Expect(CopyTask task, ulong startBytes)
    {
        if (startBytes < Of(task)) // SAFETY: within the memory that this task holds.
            LinePrefetch.Line(pool.Address(task.Lease) + startBytes);
    }

    /// <summary>A request of the background's lane for a part of the chunk, at its place in the memory.</summary>
    public unsafe BlockRequest Request(CopyTask task, BlockOperation operation, in Extent extent)
    {
        BlockRequest request = default;
        request.Operation = operation;
        request.Lane = IoLane.Background;
        request.OffsetBytes = extent.OffsetBytes;
        request.LengthBytes = extent.LengthBytes;
        if (!task.Lease.IsNone)
            // SAFETY: inside the memory that this task holds until the last request on it has completed.
            request.Buffer = (nint)(pool.Address(task.Lease) + (extent.OffsetBytes - task.Extent.OffsetBytes));
        request.Owner = owner;
        request.UserData = task.Key;
        return request;
    }
}
