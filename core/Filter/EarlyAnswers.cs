// Which writes of guests may be answered before they have landed (Absorption keeps their data).
//
// One that has bytes, is not to be durable, and comes by a device of ours; which needs only the source and its own
// device to land, so that nobody can make it fail; and which no write of the same blocks is ahead of that has not been
// answered: of two that are at the device together the one may end and the other last, and a read from memory would
// tell of the wrong one.
//
// Cost: a look at each watcher and at each unanswered write that is at the device. Holds nothing.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
sealed class EarlyAnswers(Disk disk, GuestDevice device)
{
    /// <param name="slot">Has arrived, and is not at the device.</param>
    /// <param name="mayLand">It waits for nothing: whoever marks writes has marked this one.</param>
    public bool Allow(GuestSlot slot, bool mayLand)
    {
        bool isWanted = slot is { IsHook: false, Request: { Operation: BlockOperation.Write, LengthBytes: > 0 } };
        if (!isWanted || (slot.Request.Flags & BlockFlags.Fua) != 0 || !IsSureToLand(slot.Extent))
            return false;
        return (mayLand || disk.FindWhoCannotMark(slot.Extent) == null) && !device.IsWritingUnanswered(slot.Extent);
    }

    /// <summary>
    /// A write to the range needs only the source and its own device to land, and nobody can make it fail.
    /// </summary>
    bool IsSureToLand(in Extent extent)
    {
        bool isWanted = false;
        foreach (IWriteWatcher watcher in disk.Watchers)
        {
            if (watcher.MayFailGuests)
                return false;
            if (watcher.Protects(extent) && !watcher.IsClearing(extent))
                return false;
            isWanted |= watcher.WantsEarlyAnswers;
        }
        return isWanted;
    }
}
