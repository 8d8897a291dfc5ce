// The way of the live map into the file: pages are copied as they are at one moment, sealed, and written to the first
// places, flushed, then to the second ones, flushed. The copy is kept until the next flush: what it has is durable, and
// a region may be closed only if the live map has nothing more for it.
// Cost: a copy and a seal of 4 KiB a page; 64 pages of memory.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Memory;
using FastBackup.Tracking.Format;

namespace FastBackup.Tracking.Store;

/// <summary>Threads: the reactor's. Allocates nothing after its construction.</summary>
sealed class FinePages : IDisposable
{
    public const int PagesPerFlush = 64;

    TrackerHeader _header;
    HierarchicalBitmap _live;
    readonly AlignedRegion _copies = AlignedRegion.Map(
        PagesPerFlush * TrackerShape.PageBytes,
        RegionResidency.Resident
    );
    readonly ulong[] _pages = new ulong[PagesPerFlush];
    int _count;
    bool _isDurable; // the copies are

    /// <param name="header">Where they are.</param>
    /// <param name="live">One bit per granule.</param>
    /// <param name="sequence">The highest in the file.</param>
    public FinePages(TrackerHeader header, HierarchicalBitmap live, ulong sequence)
    {
        (_header, _live, Sequence) = (header, live, sequence);
        Batch = new TrackerBatch(_copies, isTogether: false, PagesPerFlush);
    }

    public TrackerBatch Batch { get; }

    /// <summary>The highest of its pages.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>Another map records: its pages from here on.</summary>
    /// <param name="header">That names it.</param>
    /// <param name="live">One bit per granule.</param>
    public void Switch(TrackerHeader header, HierarchicalBitmap live)
    {
        Check.That(!Batch.IsBusy);
        (_header, _live, _count, _isDurable) = (header, live, 0, false);
    }

    /// <summary>Forgets the last flush, and begins to collect pages for another.</summary>
    public void Restart()
    {
        Check.That(!Batch.IsBusy);
        (_count, _isDurable) = (0, false);
        Sequence++;
    }

    /// <summary>Takes the pages that have a region's granules.</summary>
    /// <returns>False: there is no room for all of them.</returns>
    public bool TryAddRegion(ulong region)
    {
        (ulong first, ulong end) = PagesOf(region);
        int neededCount = 0;
        for (ulong page = first; page < end; page++)
            neededCount += IndexOf(page) < 0 ? 1 : 0;
        if (_count + neededCount > PagesPerFlush)
            return false;
        for (ulong page = first; page < end; page++)
            if (IndexOf(page) < 0)
                Check.That(TryAddPage(page));
        return true;
    }

    /// <summary>Takes one page that was not taken.</summary>
    /// <param name="page">Less than the shape's count.</param>
    /// <param name="isSecondFirst">Its second copy is the one that is bad.</param>
    /// <returns>False: there is no room.</returns>
    public bool TryAddPage(ulong page, bool isSecondFirst = false)
    {
        Check.That(!Batch.IsBusy);
        Check.That(!_isDurable);
        if (_count == PagesPerFlush)
            return false;
        Span<byte> copy = CopyAt(_count);
        Extent extent = _header.Shape.OfFinePage(page);
        copy.Clear();
        Check.That(_live.SerializePart(extent.OffsetBytes, extent.LengthBytes, SealedBlock.BitsOf(copy)).IsNone);
        SealedBlock.Seal(copy, new BlockPlace(BlockKind.Fine, _header.TrackerTag, _header.MapId, page), Sequence);
        ulong at = page * TrackerShape.PageBytes;
        ulong firstAt = _header.Find(AreaKind.FineFirst, _header.MapId).OffsetBytes + at;
        ulong secondAt = _header.Find(AreaKind.FineSecond, _header.MapId).OffsetBytes + at;
        (ulong one, ulong other) = isSecondFirst ? (secondAt, firstAt) : (firstAt, secondAt);
        Batch.Add(_count * TrackerShape.PageBytes, TrackerShape.PageBytes, one, other);
        _pages[_count++] = page;
        return true;
    }

    /// <summary>All steps were carried out: the copies are durable, twice.</summary>
    public void End()
    {
        Batch.End();
        _isDurable = true;
    }

    /// <summary>Whether the last flush has all that the live map has now for a region.</summary>
    public bool Has(ulong region)
    {
        if (!_isDurable)
            return false;
        TrackerShape shape = _header.Shape;
        Extent extent = shape.OfRegion(region);
        ulong granule = extent.OffsetBytes >> shape.GranuleShift;
        ulong end = Units.DivCeil(extent.EndBytes, shape.GranuleBytes);
        while ((granule = _live.NextDirtyBit(granule, end)) < end)
        {
            int index = IndexOf(granule / TrackerShape.GranulesPerPage);
            int bit = (int)(granule % TrackerShape.GranulesPerPage);
            if (index < 0 || (SealedBlock.BitsOf(CopyAt(index))[bit / 8] >> bit % 8 & 1) == 0)
                return false;
            granule++;
        }
        return true;
    }

    (ulong First, ulong End) PagesOf(ulong region)
    {
        TrackerShape shape = _header.Shape;
        Extent extent = shape.OfRegion(region);
        ulong firstGranule = extent.OffsetBytes >> shape.GranuleShift;
        ulong lastGranule = (extent.EndBytes - 1) >> shape.GranuleShift;
        return (firstGranule / TrackerShape.GranulesPerPage, lastGranule / TrackerShape.GranulesPerPage + 1);
    }

    int IndexOf(ulong page) => _pages.AsSpan(0, _count).IndexOf(page);

    Span<byte> CopyAt(int index) => _copies.Slice((ulong)index * TrackerShape.PageBytes, TrackerShape.PageBytes);

    public void Dispose() => _copies.Dispose();
}
