// What a guest's write asks of those who watch its disk. A point in time is one: it holds a write until the old data
// under it is safe. Whoever else must do something before a write may land is another; a disk knows no more of any of
// them than this. Attached and detached in quiesced moments, so no write falls between two answers.
using System;
using FastBackup.Base;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's; <see cref="Protects"/> any.</summary>
interface IWriteWatcher
{
    /// <summary>Whether a write to the range must wait. Asked by every write.</summary>
    /// <param name="extent">Within the disk; may be empty, which nobody protects.</param>
    /// <remarks>Threads: any, wait-free.</remarks>
    bool Protects(in Extent extent);

    /// <summary>Writes are to be marked before they pass: see <see cref="TryMark"/>.</summary>
    bool Marks => false;

    /// <summary>
    /// The last word before a write passes: it is counted in flight, nobody protects its range. What is marked stays
    /// marked, should the write be refused after all.
    /// </summary>
    /// <param name="extent">Within the disk; may be empty.</param>
    /// <returns>False: it could not be marked, and must wait for this watcher.</returns>
    /// <remarks>Threads: any; waits for nobody.</remarks>
    bool TryMark(in Extent extent) => true;

    /// <summary>Starts what a waiting write needs; asked again whenever something was released.</summary>
    /// <returns>True when nothing protects the range any more.</returns>
    bool TryClear(in Extent extent);

    /// <summary>A write that waits may be failed by this watcher: it must not be answered before it lands.</summary>
    bool MayFailGuests => false;

    /// <summary>While this is attached, writes may be answered before they land.</summary>
    bool WantsEarlyAnswers => false;

    /// <summary>
    /// What a write to the range waits for here has begun, and needs nobody but the source to end. Asked after
    /// <see cref="TryClear"/>.
    /// </summary>
    bool IsClearing(in Extent extent) => false;

    /// <summary>When the wait of a write for this watcher is over; ulong.MaxValue = never.</summary>
    /// <param name="arrivedNs">When the write came.</param>
    ulong WaitDeadlineNs(ulong arrivedNs);

    /// <summary>A write has waited until its deadline.</summary>
    /// <returns>True when the write must fail; false when the watcher has given way instead.</returns>
    bool FailGuest(Fault fault);

    /// <summary>A write that was held last by this watcher was granted or refused; for statistics.</summary>
    void OnWaited(ulong waitedNs);

    /// <summary>A guest is about to be told: what this shows to others must not be older than that.</summary>
    void BeforeAnswer() { }

    /// <summary>Protects nothing from here on, for good: nobody will do what writes would wait for.</summary>
    void GiveUp(Fault fault);

    /// <summary>What guests read is wanted: see <see cref="Offer"/>.</summary>
    bool TakesGuestReads { get; }

    /// <summary>What <see cref="Disk.Attach"/> returned: reads that were submitted before have a lower one.</summary>
    ulong Epoch { get; }

    /// <summary>A guest has read a range, not before this was attached.</summary>
    /// <param name="extent">Device range.</param>
    /// <param name="bytes">Its data; to be used during the call only.</param>
    void Offer(in Extent extent, ReadOnlySpan<byte> bytes);
}
