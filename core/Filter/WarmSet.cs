// What guests write shortly before a point in time, kept from their own buffers: in that instant it is captured
// already, and the first write after it waits for no read. Device mode only; the guests write no slower for it.
//
// A block is warm when its content is known: the last write that touched it went to the device while no other one that
// touches it was there, and has succeeded. So a write takes what it touches out when it goes to the device, and puts
// whole blocks in when it has ended well; of two that overlap neither does. What a host writes by itself (hook mode)
// is not seen, but counted: when the point in time comes, all writes that have ended since the beginning must have
// ended here, else nothing is warm.
//
// Cost: a look at each write under way, and a copy in memory. Reads nothing.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
sealed class WarmSet
{
    readonly Disk _disk;
    readonly WarmBlocks _blocks;
    readonly List<GuestSlot> _underWay;
    readonly ulong _endedCountBefore;
    ulong _endedCount;

    /// <param name="disk">Whose writes are looked at from now on.</param>
    /// <param name="capture">Of a point in time that is still to come.</param>
    /// <param name="underWay">Writes at the device, to be kept; whoever goes there later is told.</param>
    public WarmSet(Disk disk, BlockCapture capture, List<GuestSlot> underWay)
    {
        (_disk, _blocks, _underWay) = (disk, new WarmBlocks(capture), underWay);
        _endedCountBefore = disk.WritesEndedCount;
        foreach (GuestSlot slot in underWay)
            slot.IsAlone = false; // nobody knows who was beside it
    }

    /// <summary>A write goes to the device.</summary>
    public void OnSubmit(GuestSlot slot)
    {
        slot.IsAlone = true;
        foreach (GuestSlot other in _underWay)
            if (_blocks.Grid.ShareABlock(other.Extent, slot.Extent))
                slot.IsAlone = other.IsAlone = false;
        _underWay.Add(slot);
        _blocks.Cool(slot.Extent);
    }

    /// <summary>A write has ended there; its guest's memory is still ours.</summary>
    public unsafe void OnEnd(GuestSlot slot, Fault fault)
    {
        _endedCount++;
        _ = _underWay.Remove(slot);
        bool isKnown = slot.IsAlone && fault.IsNone && slot.Request.Operation == BlockOperation.Write;
        if (isKnown && slot.Request.LengthBytes <= int.MaxValue)
            // SAFETY: the request's buffer has that length, and its guest is told after this.
            _blocks.Put(slot.Extent, new((void*)slot.Request.Buffer, (int)slot.Request.LengthBytes));
    }

    /// <summary>The point in time is now: what is warm is captured. The disk must be quiesced.</summary>
    /// <returns>Blocks.</returns>
    public int CaptureAll(ICopyOwner owner)
    {
        bool hasSeenAll = _disk.WritesEndedCount - _endedCountBefore == _endedCount;
        if (hasSeenAll)
            return _blocks.CaptureAll(owner);
        _blocks.DropAll();
        return 0;
    }

    /// <summary>No point in time comes.</summary>
    public void Drop() => _blocks.DropAll();
}
