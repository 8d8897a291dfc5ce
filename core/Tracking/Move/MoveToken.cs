// A token: all that a tracker knows, in pages of 4096 bytes, for a tracker that waits on another host.
//
//   head (TokenHead); the table of points; of each map, oldest first, the pages that have a bit; the signature
//
// Pages of the table and of maps begin with 64 bytes of which the first 8 are the map (0: the table) and the next 8
// the index of the page; 4032 bytes of what is in it follow. The signature is HMAC-SHA256 of all pages before it, by
// the word of the host that waits, in the first 32 bytes of its page. It is written when the exporting side has given
// its tracker away, durably: a token without it is worth nothing, so at no time are there two who may go on.
// Nothing that a token says is acted upon before its signature was found right.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Security.Cryptography;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;

namespace FastBackup.Tracking.Move;

/// <summary>Threads: one, that may wait. Owner of the maps.</summary>
sealed class MoveToken : IDisposable
{
    const int PageBytes = TrackerShape.PageBytes;
    const int SignatureBytes = 32;

    MoveToken(TokenHead head, MapChain chain) => (Head, Chain) = (head, chain);

    public TokenHead Head { get; }

    public MapChain Chain { get; }

    /// <summary>All but the signature, durably; there is room for that, too.</summary>
    /// <param name="file">Empty.</param>
    /// <param name="head">Its counts do not matter.</param>
    /// <param name="chain">As it is given away.</param>
    /// <param name="word">Of the host that waits.</param>
    /// <param name="signature">To be written by Sign.</param>
    public static Fault Write(ITrackerStorage file, TokenHead head, MapChain chain, MoveWord word, out byte[] signature)
    {
        signature = [];
        byte[] table = PointTable.Write(chain.Points);
        List<(ulong MapId, ulong Index, HierarchicalBitmap Map)> pages = [];
        for (int i = 0; i < chain.Maps.Count; i++)
        for (ulong page = 0; page < head.Shape.FinePageCount; page++)
            if (HasBit(chain.Maps[i], head.Shape.OfFinePage(page)))
                pages.Add((chain.Points[i].MapId, page, chain.Maps[i]));
        int tablePageCount = table.Length / PointTable.BytesPerPage;
        head = head with { TablePageCount = tablePageCount, PageCount = (ulong)(tablePageCount + pages.Count + 2) };
        Fault fault = file.Grow(head.PageCount * PageBytes);
        using IncrementalHash hash = word.BeginSignature();
        byte[] bytes = new byte[PageBytes];
        ulong atBytes = 0;
        head.Write(bytes);
        for (int i = 0; i < tablePageCount && fault.IsNone; i++)
        {
            fault = Append(file, hash, bytes, ref atBytes);
            Begin(bytes, 0, (ulong)i);
            table
                .AsSpan(i * PointTable.BytesPerPage, PointTable.BytesPerPage)
                .CopyTo(SealedBlock.BitsOf(bytes.AsSpan()));
        }
        foreach ((ulong mapId, ulong index, HierarchicalBitmap map) in pages)
        {
            if (fault.IsNone)
                fault = Append(file, hash, bytes, ref atBytes);
            Begin(bytes, mapId, index);
            Extent extent = head.Shape.OfFinePage(index);
            Check.That(
                map.SerializePart(extent.OffsetBytes, extent.LengthBytes, SealedBlock.BitsOf(bytes.AsSpan())).IsNone
            );
        }
        if (fault.IsNone)
            fault = Append(file, hash, bytes, ref atBytes);
        signature = hash.GetHashAndReset();
        return fault.IsNone ? file.Flush() : fault;
    }

    /// <summary>From here on it counts.</summary>
    public static Fault Sign(ITrackerStorage file, byte[] signature)
    {
        byte[] bytes = new byte[PageBytes];
        signature.CopyTo(bytes, 0);
        Fault fault = file.Write(file.SizeBytes - PageBytes, bytes);
        return fault.IsNone ? file.Flush() : fault;
    }

    /// <summary>Only what it begins with: nobody has signed that yet.</summary>
    /// <returns>Null: it is no token that this version knows.</returns>
    public static TokenHead? TryReadHead(ITrackerReader file)
    {
        byte[] bytes = new byte[PageBytes];
        TokenHead? head = file.SizeBytes >= 3 * PageBytes && file.TryRead(0, bytes) ? TokenHead.TryRead(bytes) : null;
        return head != null && head.PageCount == file.SizeBytes / PageBytes && file.SizeBytes % PageBytes == 0
            ? head
            : null;
    }

    /// <param name="file">As it was given.</param>
    /// <param name="word">Of this host.</param>
    /// <param name="diskBytes">Of the disk here; a token of another size is none for it.</param>
    /// <returns>Null: it is not what the other host has signed for this word.</returns>
    /// <exception cref="InsufficientMemoryException">The maps do not fit.</exception>
    public static MoveToken? TryRead(ITrackerReader file, MoveWord word, ulong diskBytes)
    {
        TokenHead? head = TryReadHead(file);
        if (head == null || head.TakerId != word.TrackerId || head.Shape.DiskBytes != diskBytes)
            return null;
        if (!IsSigned(file, head, word) || TryReadTable(file, head) is not { } points)
            return null;
        HierarchicalBitmap[] maps = new HierarchicalBitmap[points.Length];
        for (int i = 0; i < maps.Length; i++)
            maps[i] = HierarchicalBitmap.Create(head.Shape.DiskBytes, head.Shape.GranuleBytes);
        MapChain chain = new(points, maps);
        if (TryReadMaps(file, head, chain))
            return new MoveToken(head, chain);
        chain.Dispose();
        return null;
    }

    static bool IsSigned(ITrackerReader file, TokenHead head, MoveWord word)
    {
        using IncrementalHash hash = word.BeginSignature();
        byte[] bytes = new byte[PageBytes];
        for (ulong page = 0; page < head.PageCount; page++)
        {
            if (!file.TryRead(page * PageBytes, bytes))
                return false;
            if (page + 1 < head.PageCount)
                hash.AppendData(bytes);
        }
        return CryptographicOperations.FixedTimeEquals(hash.GetHashAndReset(), bytes.AsSpan(0, SignatureBytes));
    }

    static TrackedPoint[]? TryReadTable(ITrackerReader file, TokenHead head)
    {
        byte[] bytes = new byte[PageBytes];
        byte[] table = new byte[head.TablePageCount * PointTable.BytesPerPage];
        for (int i = 0; i < head.TablePageCount; i++)
        {
            bool isOfTable = file.TryRead((ulong)(1 + i) * PageBytes, bytes) && IsAt(bytes, 0, (ulong)i);
            if (!isOfTable)
                return null;
            SealedBlock.BitsOf((ReadOnlySpan<byte>)bytes).CopyTo(table.AsSpan(i * PointTable.BytesPerPage));
        }
        return PointTable.TryRead(table);
    }

    static bool TryReadMaps(ITrackerReader file, TokenHead head, MapChain chain)
    {
        byte[] bytes = new byte[PageBytes];
        for (ulong page = 1 + (ulong)head.TablePageCount; page + 1 < head.PageCount; page++)
        {
            if (!file.TryRead(page * PageBytes, bytes))
                return false;
            ulong mapId = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            ulong index = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8));
            int map = chain.FindMap(mapId);
            if (map < 0 || index >= head.Shape.FinePageCount)
                return false;
            TrackerRecovery.Load(
                chain.Maps[map],
                head.Shape.OfFinePage(index),
                SealedBlock.BitsOf((ReadOnlySpan<byte>)bytes)
            );
        }
        foreach (HierarchicalBitmap map in chain.Maps)
            _ = map.DeserializeFinish(); // of a map without a page there is nothing to finish
        return true;
    }

    static bool HasBit(HierarchicalBitmap map, in Extent extent)
    {
        ulong first = extent.OffsetBytes / map.GranularityBytes;
        ulong end = Units.DivCeil(extent.EndBytes, map.GranularityBytes);
        return map.NextDirtyBit(first, end) < end;
    }

    static void Begin(Span<byte> page, ulong mapId, ulong index)
    {
        page.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(page, mapId);
        BinaryPrimitives.WriteUInt64LittleEndian(page[8..], index);
    }

    static bool IsAt(ReadOnlySpan<byte> page, ulong mapId, ulong index) =>
        BinaryPrimitives.ReadUInt64LittleEndian(page) == mapId
        && BinaryPrimitives.ReadUInt64LittleEndian(page[8..]) == index;

    static Fault Append(ITrackerStorage file, IncrementalHash hash, byte[] page, ref ulong atBytes)
    {
        hash.AppendData(page);
        Fault fault = file.Write(atBytes, page);
        atBytes += PageBytes;
        return fault;
    }

    public void Dispose() => Chain.Dispose();
}
