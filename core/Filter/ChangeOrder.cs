// The changes that a disk has yet to make, in the order in which they were asked for. The first may be made; it is
// looked at when it comes, when the one before it has left, when its timer says so, and when a guest's last write has
// ended, which its thread posts.
// Cost: O(1) each; the links are the changes' own, so nothing is allocated.
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's; posted to by any.</summary>
sealed class ChangeOrder(IIoLoop loop) : ILoopTask
{
    /// <summary>A guest has ended a write while the gate was closed.</summary>
    public const ulong PostedArgument = 0;

    const ulong DeferredArgument = 1;

    /// <summary>The part of a change in the order of one disk.</summary>
    public sealed class Place(QuiescedChange change, Disk disk)
    {
        public QuiescedChange Change => change;

        public Disk Disk => disk;

        public Place? Previous;
        public Place? Next;
    }

    Place? _first;
    Place? _last;
    bool _isLookDeferred;

    public QuiescedChange? First => _first?.Change;

    public void Add(Place place)
    {
        Check.That(place.Previous == null && place.Next == null);
        place.Previous = _last;
        if (_last == null)
            _first = place;
        else
            _last.Next = place;
        _last = place;
    }

    public void Remove(Place place)
    {
        if (place.Previous == null)
            _first = place.Next;
        else
            place.Previous.Next = place.Next;
        if (place.Next == null)
            _last = place.Previous;
        else
            place.Next.Previous = place.Previous;
        (place.Previous, place.Next) = (null, null);
    }

    /// <summary>The first, if there is one, is looked at in the next turn.</summary>
    public void LookLater()
    {
        if (_first == null || _isLookDeferred)
            return;
        _isLookDeferred = true;
        loop.Defer(this, DeferredArgument);
    }

    public void Run(ulong argument)
    {
        if (argument == DeferredArgument)
            _isLookDeferred = false;
        First?.LookAgain();
    }
}
