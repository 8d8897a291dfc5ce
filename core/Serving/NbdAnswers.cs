// Answers as they go over the wire, in the form that the client has chosen: simple, structured or extended.
// Source: NetworkBlockDevice/nbd, doc/proto.md.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices.Nbd;

namespace FastBackup.Serving;

/// <summary>Threads: the loop's.</summary>
sealed class NbdAnswers(bool isStructured, bool isExtended)
{
    /// <summary>Of the longest head, with an offset behind it.</summary>
    public const int HeadBytesMax = NbdProtocol.ExtendedReplyBytes + 8;

    /// <summary>Extents of one context in one answer: what is left is asked for again.</summary>
    public const int ExtentsMax = 512;

    const uint EPERM = 1;
    const uint EOVERFLOW = 75;

    public bool IsStructured => isStructured;

    /// <summary>The longest answer with extents of a context.</summary>
    public static int StatusBytesMax => HeadBytesMax + 8 + ExtentsMax * 16;

    /// <summary>A data chunk's head, or of a simple answer the only one; the data follows.</summary>
    /// <param name="batch">With HeadBytesMax of room.</param>
    /// <param name="request">Whose.</param>
    /// <param name="range">Of the chunk.</param>
    /// <param name="isLast">No chunk follows. Simple: always.</param>
    public void Data(OutBatch batch, NbdRequest request, in Extent range, bool isLast)
    {
        if (!isStructured)
        {
            Simple(batch, request, 0);
            return;
        }
        Span<byte> rest = Chunk(batch, request, NbdProtocol.ChunkData, isLast, 8, 8 + range.LengthBytes);
        BinaryPrimitives.WriteUInt64BigEndian(rest, range.OffsetBytes);
    }

    /// <summary>A range that holds zeroes. Structured only.</summary>
    public void Hole(OutBatch batch, NbdRequest request, in Extent range, bool isLast)
    {
        Span<byte> rest = Chunk(batch, request, NbdProtocol.ChunkHole, isLast, 12, 12);
        BinaryPrimitives.WriteUInt64BigEndian(rest, range.OffsetBytes);
        BinaryPrimitives.WriteUInt32BigEndian(rest[8..], (uint)range.LengthBytes);
    }

    /// <summary>The end of a request: its error, or that all went well.</summary>
    public void End(OutBatch batch, NbdRequest request)
    {
        if (!isStructured)
            Simple(batch, request, request.Error);
        else if (request.Error == 0)
            Chunk(batch, request, NbdProtocol.ChunkNone, isLast: true, 0, 0);
        else
            BinaryPrimitives.WriteUInt32BigEndian(
                Chunk(batch, request, NbdProtocol.ChunkError, isLast: true, 6, 6),
                request.Error
            );
    }

    /// <param name="batch">With StatusBytesMax of room.</param>
    /// <param name="request">Whose.</param>
    /// <param name="contextId">As the handshake has named it.</param>
    /// <param name="extents">1..ExtentsMax, from the request's offset on.</param>
    /// <param name="isLast">No context follows.</param>
    public void Status(
        OutBatch batch,
        NbdRequest request,
        uint contextId,
        IReadOnlyList<StatusExtent> extents,
        bool isLast
    )
    {
        int extentBytes = isExtended ? 16 : 8;
        int bytes = (isExtended ? 8 : 4) + extents.Count * extentBytes;
        ushort type = isExtended ? NbdProtocol.ChunkStatusExtended : NbdProtocol.ChunkStatus;
        Span<byte> rest = Chunk(batch, request, type, isLast, bytes, (ulong)bytes);
        BinaryPrimitives.WriteUInt32BigEndian(rest, contextId);
        if (isExtended)
            BinaryPrimitives.WriteUInt32BigEndian(rest[4..], (uint)extents.Count);
        rest = rest[(isExtended ? 8 : 4)..];
        foreach (StatusExtent extent in extents)
        {
            if (isExtended)
            {
                BinaryPrimitives.WriteUInt64BigEndian(rest, extent.LengthBytes);
                BinaryPrimitives.WriteUInt64BigEndian(rest[8..], extent.Flags);
            }
            else
            {
                BinaryPrimitives.WriteUInt32BigEndian(rest, (uint)extent.LengthBytes);
                BinaryPrimitives.WriteUInt32BigEndian(rest[4..], extent.Flags);
            }
            rest = rest[extentBytes..];
        }
    }

    /// <summary>An error as the protocol numbers it: those of Linux, of which it knows a few.</summary>
    public static uint ErrorOf(Fault fault) =>
        fault switch
        {
            { IsNone: true } => 0,
            { Errno: Errnos.EROFS or Errnos.EPERM } => EPERM,
            { Kind: FaultKind.NoSpace } => Errnos.ENOSPC,
            { Kind: FaultKind.NoMemory } => Errnos.ENOMEM,
            { Kind: FaultKind.Range or FaultKind.Align or FaultKind.Invalid } => Errnos.EINVAL,
            { Kind: FaultKind.Unsupported } => Errnos.EOPNOTSUPP,
            { Kind: FaultKind.Canceled or FaultKind.Bug } => Errnos.ESHUTDOWN,
            _ => Errnos.EIO,
        };

    /// <summary>The request is longer than its answer may be.</summary>
    public static uint TooLong => EOVERFLOW;

    public static uint Forbidden => EPERM;

    static void Simple(OutBatch batch, NbdRequest request, uint error)
    {
        Span<byte> head = batch.Add(NbdProtocol.SimpleReplyBytes);
        BinaryPrimitives.WriteUInt32BigEndian(head, NbdProtocol.SimpleReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(head[4..], error);
        BinaryPrimitives.WriteUInt64BigEndian(head[8..], request.Cookie);
    }

    Span<byte> Chunk(OutBatch batch, NbdRequest request, ushort type, bool isLast, int hereBytes, ulong chunkBytes)
    {
        int headBytes = isExtended ? NbdProtocol.ExtendedReplyBytes : NbdProtocol.StructuredReplyBytes;
        Span<byte> head = batch.Add(headBytes + hereBytes);
        BinaryPrimitives.WriteUInt32BigEndian(
            head,
            isExtended ? NbdProtocol.ExtendedReplyMagic : NbdProtocol.StructuredReplyMagic
        );
        BinaryPrimitives.WriteUInt16BigEndian(head[4..], isLast ? NbdProtocol.ReplyDone : (ushort)0);
        BinaryPrimitives.WriteUInt16BigEndian(head[6..], type);
        BinaryPrimitives.WriteUInt64BigEndian(head[8..], request.Cookie);
        if (isExtended)
        {
            BinaryPrimitives.WriteUInt64BigEndian(head[16..], request.OffsetBytes);
            BinaryPrimitives.WriteUInt64BigEndian(head[24..], chunkBytes);
        }
        else
        {
            BinaryPrimitives.WriteUInt32BigEndian(head[16..], (uint)chunkBytes);
        }
        return head[headBytes..];
    }
}
