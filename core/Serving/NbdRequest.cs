// A request of a client, and the pieces in which the device gets it: a piece fits into the client's memory, however
// long the request is.
using FastBackup.Base;
using FastBackup.Devices.Nbd;
using FastBackup.Memory;

namespace FastBackup.Serving;

/// <summary>From its head to its answer.</summary>
sealed class NbdRequest
{
    public ulong Cookie;
    public NbdCommand Command;
    public NbdCommandFlags Flags;
    public ulong OffsetBytes;
    public ulong LengthBytes;

    /// <summary>Given to the device, or for a write received.</summary>
    public ulong IssuedBytes;

    /// <summary>At the device, or answered and not yet sent.</summary>
    public uint PieceCount;

    /// <summary>The first error: an NBD number, 0 = none.</summary>
    public uint Error;

    public bool IsIssued => IssuedBytes == LengthBytes;

    public void Begin(in NbdHead head)
    {
        (Cookie, Command, Flags) = (head.Cookie, head.Command, head.Flags);
        (OffsetBytes, LengthBytes) = (head.OffsetBytes, head.LengthBytes);
        (IssuedBytes, PieceCount, Error) = (0, 0, 0);
    }
}

/// <summary>One request of the device.</summary>
sealed class NbdPiece
{
    public ulong RequestKey;
    public Extent Range;

    /// <summary>Where its data is; none for what has none.</summary>
    public BufferLease Lease;

    /// <summary>Map: entries that the device has filled in.</summary>
    public uint EntryCount;

    /// <summary>Map: contexts that are answered.</summary>
    public int ContextCount;
    public Fault Fault;

    public void Begin(ulong requestKey, in Extent range, BufferLease lease)
    {
        (RequestKey, Range, Lease) = (requestKey, range, lease);
        (EntryCount, ContextCount, Fault) = (0, 0, Fault.None);
    }
}

/// <summary>A request's head as it comes over the wire.</summary>
readonly record struct NbdHead(
    NbdCommand Command,
    NbdCommandFlags Flags,
    ulong Cookie,
    ulong OffsetBytes,
    ulong LengthBytes
);
