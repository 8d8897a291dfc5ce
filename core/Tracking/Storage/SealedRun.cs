// Pages of one map or table, sealed and written in runs of up to 1 MiB: for what nobody reads yet, and to heal. The
// caller flushes. Cost: a copy, a seal and a part of a write a page.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: one, that may wait.</summary>
/// <param name="file">The tracker file.</param>
/// <param name="header">Whose pages they are.</param>
/// <param name="kind">Of the pages.</param>
/// <param name="mapId">Whose bits, or which table.</param>
/// <param name="sequence">Of each page.</param>
sealed class SealedRun(ITrackerStorage file, TrackerHeader header, BlockKind kind, ulong mapId, ulong sequence)
{
    const int PagesPerWrite = 256;

    readonly byte[] _pages = new byte[PagesPerWrite * TrackerShape.PageBytes];

    /// <summary>All pages of a map.</summary>
    public Fault WriteMap(ulong atBytes, HierarchicalBitmap map) =>
        Write(
            atBytes,
            header.Shape.FinePageCount,
            (page, bits) =>
            {
                Extent extent = header.Shape.OfFinePage(page);
                Check.That(map.SerializePart(extent.OffsetBytes, extent.LengthBytes, bits).IsNone);
            }
        );

    /// <summary>One page of a map.</summary>
    public Fault WritePage(ulong atBytes, HierarchicalBitmap map, ulong page)
    {
        Span<byte> copy = _pages.AsSpan(0, TrackerShape.PageBytes);
        copy.Clear();
        Extent extent = header.Shape.OfFinePage(page);
        Check.That(map.SerializePart(extent.OffsetBytes, extent.LengthBytes, SealedBlock.BitsOf(copy)).IsNone);
        SealedBlock.Seal(copy, new BlockPlace(kind, header.TrackerTag, mapId, page), sequence);
        return file.Write(atBytes + page * TrackerShape.PageBytes, copy);
    }

    /// <summary>Bytes that are no bits.</summary>
    /// <param name="atBytes">Of the area.</param>
    /// <param name="bytes">Whole pages' worth, without their heads.</param>
    public Fault WriteBytes(ulong atBytes, byte[] bytes) =>
        Write(
            atBytes,
            (ulong)(bytes.Length / PointTable.BytesPerPage),
            (page, content) =>
                bytes.AsSpan((int)page * PointTable.BytesPerPage, PointTable.BytesPerPage).CopyTo(content)
        );

    delegate void Filling(ulong page, Span<byte> content);

    Fault Write(ulong atBytes, ulong pageCount, Filling fill)
    {
        Fault fault = Fault.None;
        for (ulong page = 0; page < pageCount && fault.IsNone; )
        {
            int count = (int)Math.Min(PagesPerWrite, pageCount - page);
            Span<byte> run = _pages.AsSpan(0, count * TrackerShape.PageBytes);
            run.Clear();
            for (int i = 0; i < count; i++)
            {
                Span<byte> copy = run.Slice(i * TrackerShape.PageBytes, TrackerShape.PageBytes);
                fill(page + (ulong)i, SealedBlock.BitsOf(copy));
                SealedBlock.Seal(copy, new BlockPlace(kind, header.TrackerTag, mapId, page + (ulong)i), sequence);
            }
            fault = file.Write(atBytes + page * TrackerShape.PageBytes, run);
            page += (ulong)count;
        }
        return fault;
    }
}
