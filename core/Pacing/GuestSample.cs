// One request of a guest, at its end, as those who adapt to guests see it.
namespace FastBackup.Pacing;

/// <summary>Requests that are comparable with each other. Discards and zeroes are in none.</summary>
public enum GuestClass : byte
{
    SmallRead,
    LargeRead,
    SmallWrite,
    LargeWrite,
    Flush,

    /// <summary>A write that the host does itself: only its wait for a copy is known.</summary>
    HostWrite,

    /// <summary>A write answered from memory, with its wait for room there: it did not meet the device.</summary>
    AnsweredWrite,

    /// <summary>And such a write when it has landed, with the time since its answer.</summary>
    LandedWrite,

    /// <summary>Any write that waited for a copy, with that wait: only for what is learnt of the idle disk.</summary>
    CopiedWrite,
}

/// <param name="Class">What it is to be compared with.</param>
/// <param name="ArrivedNs">When it came.</param>
/// <param name="WaitNs">How long it then waited for a copy, a gate or room.</param>
/// <param name="TotalNs">And until it was done; for a host's write the same as the wait.</param>
/// <param name="NowNs">Now.</param>
public readonly record struct GuestSample(GuestClass Class, ulong ArrivedNs, ulong WaitNs, ulong TotalNs, ulong NowNs);

/// <summary>Someone who loads a guest's disk and adapts to the guest. Threads: the reactor's.</summary>
public interface IGuestListener
{
    /// <summary>Whether it has something at the device now: then a latency says nothing about the idle disk.</summary>
    bool IsLoading { get; }

    /// <summary>A guest's request has ended.</summary>
    void OnGuestDone(in GuestSample sample);

    /// <summary>No request of a guest is out any more.</summary>
    void OnGuestsGone();
}
