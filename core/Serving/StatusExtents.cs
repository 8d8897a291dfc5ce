// What the contexts that a client has chosen say of a range, as runs: from the range's offset on, without a gap,
// neighbours that are the same as one.
//
//   base:allocation         data, zeroes or a hole, as the device has told
//   qemu:allocation-depth   which layer of a chain has it: 1 is the topmost, 0 none
//   qemu:dirty-bitmap:NAME  dirty or not, as the bitmap has it now; of several bitmaps their union
//
// Source: NetworkBlockDevice/nbd, doc/proto.md; QEMU docs/interop/nbd.rst.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices.Nbd;
using FastBackup.Ports;

namespace FastBackup.Serving;

/// <summary>A run of a context.</summary>
readonly record struct StatusExtent(ulong LengthBytes, uint Flags);

/// <summary>Threads: the loop's.</summary>
/// <param name="disk">The client's.</param>
/// <param name="contexts">That it has chosen.</param>
/// <param name="answers">Its form of them.</param>
sealed class StatusExtents(ServedDisk disk, IReadOnlyList<string> contexts, NbdAnswers answers)
{
    readonly List<StatusExtent> _extents = [];
    readonly List<HierarchicalBitmap> _bits = [];

    /// <summary>Whether it is the device that knows, of one of them at least.</summary>
    public bool AsksDevice { get; } = contexts.Any(IsOfMap);

    /// <summary>Puts a chunk for each context into the batch; begins with those that the piece has not had.</summary>
    /// <param name="batch">To fill.</param>
    /// <param name="request">Its error, where a bitmap that the client has chosen is no more: then no chunk follows.
    /// </param>
    /// <param name="piece">Of the request.</param>
    /// <param name="entries">What the device has told of the piece.</param>
    /// <returns>False: no room for the next.</returns>
    public bool TryAnswer(OutBatch batch, NbdRequest request, NbdPiece piece, ReadOnlySpan<MapEntry> entries)
    {
        int countMax = (request.Flags & NbdCommandFlags.OneExtent) != 0 ? 1 : NbdAnswers.ExtentsMax;
        for (; piece.ContextCount < contexts.Count; piece.ContextCount++)
        {
            if (batch.RoomBytes < NbdAnswers.StatusBytesMax)
                return false;
            if (!TryTell(contexts[piece.ContextCount], entries, piece.Range, countMax))
            {
                request.Error = Errnos.EIO;
                break;
            }
            bool isLast = piece.ContextCount == contexts.Count - 1;
            answers.Status(batch, request, (uint)piece.ContextCount + 1, _extents, isLast);
        }
        return true;
    }

    static bool IsOfMap(string context) => context is NbdProtocol.AllocationContext or NbdProtocol.DepthContext;

    bool TryTell(string context, ReadOnlySpan<MapEntry> entries, in Extent range, int countMax)
    {
        _extents.Clear();
        if (IsOfMap(context))
        {
            TellMap(context == NbdProtocol.DepthContext, entries, range, countMax);
            return true;
        }
        _bits.Clear();
        if (disk.Bitmaps?.TryFind(context[NbdProtocol.BitmapContext.Length..], _bits) != true)
            return false;
        TellBitmaps(range, countMax);
        return true;
    }

    /// <summary>As the device has told it: beginning at the range's offset, without a gap, clipped to it.</summary>
    void TellMap(bool isDepth, ReadOnlySpan<MapEntry> entries, in Extent range, int countMax)
    {
        ulong at = range.OffsetBytes;
        foreach (MapEntry entry in entries)
        {
            ulong end = Math.Min(entry.OffsetBytes + entry.LengthBytes, range.EndBytes);
            if (end <= at)
                continue;
            if (!TryAdd(end - at, isDepth ? DepthOf(entry) : AllocationOf(entry), countMax))
                return;
            at = end;
        }
        if (_extents.Count == 0)
            _extents.Add(new StatusExtent(range.LengthBytes, isDepth ? 1u : 0)); // it told nothing: data
    }

    static uint AllocationOf(in MapEntry entry) =>
        entry.Kind switch
        {
            ExtentKind.Hole => NbdProtocol.StatusHole | NbdProtocol.StatusZero,
            ExtentKind.Zero => NbdProtocol.StatusZero,
            _ => 0,
        };

    static uint DepthOf(in MapEntry entry) => entry.Kind == ExtentKind.Hole ? 0 : entry.Depth + 1;

    /// <summary>Cost: some words an extent and bitmap, more where it is empty.</summary>
    void TellBitmaps(in Extent range, int countMax)
    {
        ulong at = range.OffsetBytes;
        while (at < range.EndBytes)
        {
            ulong mostBytes = range.EndBytes - at;
            (ulong dirtyBytes, ulong cleanBytes) = (0, mostBytes);
            foreach (HierarchicalBitmap bits in _bits)
            {
                (bool isDirty, ulong runBytes) = (true, mostBytes);
                ulong knownBytes = at < bits.SizeBytes ? Math.Min(mostBytes, bits.SizeBytes - at) : 0;
                if (knownBytes > 0) // else the disk has grown past it
                    Check.That(bits.Status(at, knownBytes, out isDirty, out runBytes).IsNone);
                if (isDirty)
                    dirtyBytes = Math.Max(dirtyBytes, runBytes);
                else
                    cleanBytes = Math.Min(cleanBytes, runBytes);
            }
            bool isAnyDirty = dirtyBytes > 0;
            ulong bytes = isAnyDirty ? dirtyBytes : cleanBytes;
            if (!TryAdd(bytes, isAnyDirty ? NbdProtocol.StatusDirty : 0, countMax))
                return;
            at += bytes;
        }
    }

    /// <summary>Neighbours that are the same are one.</summary>
    bool TryAdd(ulong lengthBytes, uint flags, int countMax)
    {
        if (_extents.Count > 0 && _extents[^1].Flags == flags)
        {
            _extents[^1] = _extents[^1] with { LengthBytes = _extents[^1].LengthBytes + lengthBytes };
            return true;
        }
        if (_extents.Count == countMax)
            return false;
        _extents.Add(new StatusExtent(lengthBytes, flags));
        return true;
    }
}
