// Requests that wait for the same thing, in their order: a list through the slots themselves, so nothing is allocated.
namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
struct WaitList
{
    Qcow2Slot? _first;
    Qcow2Slot? _last;

    /// <summary>The slot waits from here on; who takes it says that it does not any more.</summary>
    public void Add(Qcow2Slot slot)
    {
        slot.IsWaiting = true;
        slot.Next = null;
        if (_last == null)
            _first = slot;
        else
            _last.Next = slot;
        _last = slot;
    }

    /// <summary>All that wait, in a list of their own: who waits again meanwhile is not among them.</summary>
    public WaitList TakeAll()
    {
        WaitList all = this;
        this = default;
        return all;
    }

    public bool TryTake(out Qcow2Slot slot)
    {
        slot = _first!;
        if (_first == null)
            return false;
        _first = slot.Next;
        slot.Next = null;
        if (_first == null)
            _last = null;
        return true;
    }
}
