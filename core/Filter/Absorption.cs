// Writes of guests that were answered from memory while a point in time protects the disk: its volatile write cache.
//
// Such a write needs only devices that answer its guest anyway: what it overwrites is saved, or is being read from the
// source. Its data is copied here, it is recorded and counted in flight, its guest is told, and then it goes the way of
// every write. So a quiesced moment waits for it, like for any write under way: it is on the right side of each T0,
// in each bitmap, and nothing of it is left when the last point in time has gone. Requests are numbered as they come,
// and those that are answered here as they are answered:
//
//   a write        waits for those answered before it that overlap it, and never passes them
//   a read         is answered from the newest of them, if that has all of it; else it waits, too
//   flush and FUA  wait for all that were answered before
//
// How much is answered early is bounded three ways: bytes, count, and age (of the oldest that has not landed). Beyond a
// bound guests wait as without this, or until one has landed and there is room again, whichever comes first. The count
// follows the disk: as many as it takes in half of the age, found as a connection finds its window (one more while
// all land in time, a fifth less when one did not, once for what was answered since). So on a saturated disk each guest
// waits for his turn among the guests, not for the whole of what was answered before.
//
// One that the device fails was told as done: every flush says so from then on, and nothing is answered early any more.
//
// Cost: a copy of the data, and a look at each of at most CountMax ranges a request while there are any. All memory is
// taken at construction. Knows nothing of watchers; does no I/O.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Pacing;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's; <see cref="HasSome"/> any.</summary>
sealed class Absorption : IDisposable
{
    const uint UnitBytes = 4096;
    const uint CountMax = 256;
    const uint CountMin = 4;
    const ulong LengthBytesMax = 256 * Units.KiB;
    const ulong AgeNsMax = 2 * GuestPulse.LandNsWanted;

    readonly AlignedRegion _region;
    readonly UnitRuns _units;
    readonly uint _countMax;
    uint _countLimit; // what the disk takes in time
    ulong _limitOrder; // who was answered before the limit was set says nothing about it
    GuestSlot? _oldest; // links in order of their numbers
    GuestSlot? _youngest;
    ulong _awaitedOrder; // of the last request that found itself out of turn
    volatile uint _count;

    /// <param name="sizeBytes">Memory for what was answered and has not landed.</param>
    /// <param name="slotCount">Requests of the disk at once: a quarter of them may be such writes.</param>
    public Absorption(ulong sizeBytes, uint slotCount)
    {
        _countMax = Math.Min(CountMax, Math.Max(1, slotCount / 4));
        _countLimit = _countMax;
        _units = new UnitRuns((uint)Math.Clamp(sizeBytes / UnitBytes, 1, 1 << 28));
        _region = AlignedRegion.Map((ulong)_units.Count * UnitBytes, RegionResidency.Resident);
    }

    /// <summary>Something was answered that has not landed. Threads: any.</summary>
    public bool HasSome => _count > 0;

    /// <summary>The first write that the device failed after its guest had been told; None: none has.</summary>
    public Fault Lost { get; private set; }

    /// <summary>Takes a write's data over.</summary>
    /// <param name="slot">Nothing holds it but what the device must give.</param>
    /// <param name="nowNs">Of the loop's clock.</param>
    /// <returns>False: it is answered when it has landed.</returns>
    public bool TryTake(GuestSlot slot, ulong nowNs)
    {
        ulong lengthBytes = slot.Request.LengthBytes;
        bool isTooOld = _oldest != null && nowNs - _oldest.AnsweredNs > AgeNsMax;
        if (Lost.IsFault || isTooOld || _count >= _countLimit || lengthBytes > LengthBytesMax)
            return false;
        uint unitCount = (uint)Units.DivCeil(lengthBytes, UnitBytes);
        if (!_units.TryTake(unitCount, out uint unit))
            return false;
        nint memory = _region.Start + (nint)((ulong)unit * UnitBytes);
        Copy(slot.Request.Buffer, memory, lengthBytes);
        slot.Request.Buffer = memory;
        slot.IsAbsorbed = true;
        slot.AnsweredNs = nowNs;
        Link(slot);
        return true;
    }

    /// <summary>A write that was taken over has ended at the device, or never will.</summary>
    /// <param name="slot">Which.</param>
    /// <param name="fault">None: it has landed.</param>
    /// <param name="nowNs">Of the loop's clock.</param>
    public void Release(GuestSlot slot, Fault fault, ulong nowNs)
    {
        if (fault.IsFault && Lost.IsNone)
            Lost = fault;
        Adapt(slot, nowNs - slot.AnsweredNs);
        Unlink(slot);
        slot.IsAbsorbed = false;
        uint unit = (uint)((ulong)(slot.Request.Buffer - _region.Start) / UnitBytes);
        _units.Return(unit, (uint)Units.DivCeil(slot.Request.LengthBytes, UnitBytes));
    }

    void Adapt(GuestSlot slot, ulong landNs)
    {
        if (landNs <= GuestPulse.LandNsWanted)
        {
            if (_count >= _countLimit && _countLimit < _countMax)
                _countLimit++;
            return;
        }
        if (slot.Order <= _limitOrder)
            return;
        _countLimit = Math.Max(Math.Min(CountMin, _countMax), _countLimit - (_countLimit / 5) - 1);
        _limitOrder = _youngest!.Order;
    }

    /// <summary>Whether nothing that was answered before a request has to land before it goes to the device.</summary>
    public bool IsInOrder(GuestSlot slot)
    {
        if (_oldest == null || _oldest.Order >= slot.Order)
            return true;
        bool waitsForAll =
            slot.Request.Operation == BlockOperation.Flush
            || (slot.IsWrite && (slot.Request.Flags & BlockFlags.Fua) != 0);
        if (!waitsForAll && FindYoungest(slot.Extent, slot.Order) == null)
            return true;
        if (!slot.IsAbsorbed)
            _awaitedOrder = Math.Max(_awaitedOrder, slot.Order);
        return false;
    }

    /// <summary>A guest waits for this one to land: how long that takes is felt.</summary>
    public bool IsAwaited(GuestSlot slot) => slot.Order < _awaitedOrder;

    /// <summary>Answers a read from what has not landed, where one write has all of it.</summary>
    public bool TryRead(GuestSlot slot)
    {
        Extent wanted = slot.Extent;
        if (wanted.IsEmpty || FindYoungest(wanted, ulong.MaxValue) is not { } newest)
            return false;
        if (wanted.OffsetBytes < newest.Request.OffsetBytes || wanted.EndBytes > newest.Extent.EndBytes)
            return false;
        int startBytes = (int)(wanted.OffsetBytes - newest.Request.OffsetBytes);
        Copy(newest.Request.Buffer + startBytes, slot.Request.Buffer, wanted.LengthBytes);
        return true;
    }

    /// <summary>Part of a range was answered and has not landed.</summary>
    public bool Overlaps(in Extent extent) => FindYoungest(extent, ulong.MaxValue) != null;

    /// <summary>No device answers any more: nothing lands.</summary>
    public void Dispose()
    {
        _units.Dispose();
        _region.Dispose();
    }

    /// <summary>From or to a guest's memory, ours until it is answered.</summary>
    static unsafe void Copy(nint source, nint destination, ulong lengthBytes)
    {
        // SAFETY: the requests whose buffers these are have that length, and none has ended.
        ReadOnlySpan<byte> bytes = new((void*)source, (int)lengthBytes);
        bytes.CopyTo(new Span<byte>((void*)destination, (int)lengthBytes));
    }

    GuestSlot? FindYoungest(in Extent extent, ulong orderEnd)
    {
        for (GuestSlot? slot = _youngest; slot != null; slot = slot.OlderAbsorbed)
            if (slot.Order < orderEnd && slot.Extent.Overlaps(extent))
                return slot;
        return null;
    }

    void Link(GuestSlot slot)
    {
        (slot.OlderAbsorbed, slot.YoungerAbsorbed) = (_youngest, null);
        if (_youngest == null)
            _oldest = slot;
        else
            _youngest.YoungerAbsorbed = slot;
        _youngest = slot;
        _count++;
    }

    void Unlink(GuestSlot slot)
    {
        if (slot.OlderAbsorbed == null)
            _oldest = slot.YoungerAbsorbed;
        else
            slot.OlderAbsorbed.YoungerAbsorbed = slot.YoungerAbsorbed;
        if (slot.YoungerAbsorbed == null)
            _youngest = slot.OlderAbsorbed;
        else
            slot.YoungerAbsorbed.OlderAbsorbed = slot.OlderAbsorbed;
        (slot.OlderAbsorbed, slot.YoungerAbsorbed) = (null, null);
        _count--;
    }
}
