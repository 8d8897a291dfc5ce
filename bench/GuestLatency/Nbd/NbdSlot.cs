// One request of a client between its arrival and its reply, preallocated.
namespace FastBackup.Bench.GuestLatency.Nbd;

/// <summary>Threads: the reader's until it is submitted, then the reactor's until it is free again.</summary>
struct NbdSlot
{
    /// <summary>The client's, given back with the reply; its bytes are never looked at.</summary>
    public ulong Cookie;

    /// <summary>Bytes of content that the reply carries: a read that succeeded.</summary>
    public uint ReplyPayloadBytes;

    /// <summary>One of the protocol's errors, or 0.</summary>
    public uint Error;
}
