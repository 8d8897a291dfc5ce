// A request of a remote disk from its begin to its end. A long one is asked for in pieces, one after the other.
using System;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

enum NbdSlotState : byte
{
    /// <summary>Its piece waits to be sent, or for a connection: no answer can come.</summary>
    Queued,

    /// <summary>Its payload is being sent: the buffer is in use, even if the answer comes meanwhile.</summary>
    Sending,

    Sent,

    /// <summary>Nothing more to do: the result waits for the next turn.</summary>
    Finished,
}

/// <summary>Threads: the device's.</summary>
sealed class NbdSlot
{
    public BlockRequest Request;

    /// <summary>On which its piece was asked for, or will be; null while there is none.</summary>
    public NbdLink? Link;

    /// <summary>Flush: of the writes that it is about, the end.</summary>
    public ulong FlushMark;
    public NbdCommand Command;
    public NbdSlotState State;

    /// <summary>Zeroes: only where they are fast. The piece is as long as the request then.</summary>
    public bool IsFast;
    public bool IsAnswered;
    public ulong DoneBytes;

    /// <summary>Of the piece that is under way; a flush has none.</summary>
    public ulong PieceBytes;

    /// <summary>What the server said of this piece.</summary>
    public Fault Fault;

    /// <summary>Read in chunks: what has come of the piece.</summary>
    public readonly NbdCoverage Coverage = new();

    /// <summary>Map: a chunk of extents has come; one piece has one.</summary>
    public bool HasExtents;

    /// <summary>Map: entries in the buffer.</summary>
    public uint EntryCount;

    public ulong PieceOffsetBytes => Request.OffsetBytes + DoneBytes;

    public Extent Piece => new(PieceOffsetBytes, PieceBytes);

    /// <summary>It has left, at least in part, and changes its place when a server carries it out.</summary>
    public bool MayLandLate => State is NbdSlotState.Sending or NbdSlotState.Sent && Request.Operation.IsWrite();

    public void Begin(in BlockRequest request, NbdCommand command)
    {
        (Request, Command, State) = (request, command, NbdSlotState.Queued);
        (DoneBytes, EntryCount, Link, IsFast) = (0, 0, null, false);
        BeginPiece(0);
    }

    public void BeginPiece(ulong pieceBytes)
    {
        (PieceBytes, Fault, IsAnswered, HasExtents) = (pieceBytes, Fault.None, false, false);
        Coverage.Clear();
    }

    /// <summary>As many as there is room for; what is more is asked for again.</summary>
    public unsafe void AddEntry(in Extent range, ExtentKind kind)
    {
        Check.That(Request.MapCapacity > 0);
        if (EntryCount == Request.MapCapacity)
            return;
        // SAFETY: the owner keeps room for MapCapacity entries until the completion.
        new Span<MapEntry>((void*)Request.Buffer, (int)Request.MapCapacity)[(int)EntryCount++] = new MapEntry
        {
            OffsetBytes = range.OffsetBytes,
            LengthBytes = range.LengthBytes,
            Kind = kind,
        };
    }
}
