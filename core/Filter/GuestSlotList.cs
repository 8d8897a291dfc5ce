// Slots in the order in which they came here; one is in one list at most, since the links are its own. O(1).
namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
sealed class GuestSlotList
{
    GuestSlot? _last;

    /// <summary>Null: it is empty. <see cref="GuestSlot.Next"/> leads on.</summary>
    public GuestSlot? First { get; private set; }

    public void Append(GuestSlot slot)
    {
        (slot.Previous, slot.Next) = (_last, null);
        if (_last == null)
            First = slot;
        else
            _last.Next = slot;
        _last = slot;
    }

    /// <param name="slot">Is here.</param>
    public void Remove(GuestSlot slot)
    {
        if (slot.Previous == null)
            First = slot.Next;
        else
            slot.Previous.Next = slot.Next;
        if (slot.Next == null)
            _last = slot.Previous;
        else
            slot.Next.Previous = slot.Previous;
        (slot.Previous, slot.Next) = (null, null);
    }
}
