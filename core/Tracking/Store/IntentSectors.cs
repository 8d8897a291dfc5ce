// The intents of a tracker in memory, as they are in the file: which regions are open. Changes are collected, sealed
// and written as one batch, whole pages of eight sectors; sectors that did not change are written again as they are.
// Cost: 512 bytes per 3,584 regions; a change of a bit and one seal per sector that changed.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Memory;
using FastBackup.Tracking.Format;

namespace FastBackup.Tracking.Store;

/// <summary>Threads: the reactor's. Allocates nothing after its construction.</summary>
sealed class IntentSectors : IDisposable
{
    public const int PagesPerBatch = 256;

    readonly TrackerShape _shape;
    readonly ulong _trackerTag;
    readonly ulong _firstAt;
    readonly ulong _secondAt;
    readonly AlignedRegion _sectors;
    readonly bool[] _isChanged; // of each sector, in the batch that is being collected
    int _pageCount;

    /// <param name="header">Where they are.</param>
    /// <param name="open">One bit per region; copied.</param>
    /// <param name="sequence">The highest in the file.</param>
    public IntentSectors(TrackerHeader header, HierarchicalBitmap open, ulong sequence)
    {
        (_shape, _trackerTag, Sequence) = (header.Shape, header.TrackerTag, sequence);
        _firstAt = header.Find(AreaKind.IntentsFirst, 0).OffsetBytes;
        _secondAt = header.Find(AreaKind.IntentsSecond, 0).OffsetBytes;
        _sectors = AlignedRegion.Map(_shape.IntentBytes, RegionResidency.Resident);
        _isChanged = new bool[_shape.IntentBytes / TrackerShape.SectorBytes];
        int pageCount = (int)(_shape.IntentBytes / TrackerShape.PageBytes);
        Batch = new TrackerBatch(_sectors, isTogether: true, PagesPerBatch);
        Whole = new TrackerBatch(_sectors, isTogether: false, pageCount);
        for (ulong sector = 0; sector < _shape.IntentSectorCount; sector++)
            Load(open, sector);
    }

    /// <summary>The highest of its sectors.</summary>
    public ulong Sequence { get; private set; }

    /// <summary>What was collected.</summary>
    public TrackerBatch Batch { get; }

    /// <summary>All of it, to make a file or to heal one: one copy after the other.</summary>
    public TrackerBatch Whole { get; }

    /// <summary>Nothing is under way: regions can be collected.</summary>
    public bool IsIdle => !Batch.IsBusy && !Whole.IsBusy;

    /// <summary>Nothing was collected.</summary>
    public bool IsEmpty => _pageCount == 0;

    /// <summary>Collects the change of one region.</summary>
    /// <returns>False: this batch has no room for its page.</returns>
    public bool TrySet(ulong region, bool isOpen)
    {
        Check.That(IsIdle);
        Check.That(region < _shape.RegionCount);
        ulong sector = region / TrackerShape.RegionsPerSector;
        if (!HasPage(sector) && _pageCount == PagesPerBatch)
            return false;
        _pageCount += HasPage(sector) ? 0 : 1;
        _isChanged[sector] = true;
        ulong bit = region % TrackerShape.RegionsPerSector;
        ref byte bits = ref SealedBlock.BitsOf(SectorAt(sector))[(int)(bit / 8)];
        byte mask = (byte)(1 << (int)(bit % 8));
        bits = isOpen ? (byte)(bits | mask) : (byte)(bits & ~mask);
        return true;
    }

    /// <summary>As it is here: in the file, on its way there, or collected.</summary>
    public bool IsSet(ulong region)
    {
        ulong bit = region % TrackerShape.RegionsPerSector;
        return (
                SealedBlock.BitsOf(SectorAt(region / TrackerShape.RegionsPerSector))[(int)(bit / 8)] >> (int)(bit % 8)
                & 1
            ) != 0;
    }

    /// <summary>Closes all regions, and forgets what was collected.</summary>
    public void CloseAll()
    {
        Check.That(IsIdle);
        Array.Clear(_isChanged);
        _pageCount = 0;
        Sequence++;
        for (ulong sector = 0; sector < _shape.IntentSectorCount; sector++)
        {
            SealedBlock.BitsOf(SectorAt(sector)).Clear();
            Seal(sector);
        }
    }

    /// <summary>Seals what was collected; its steps may be taken.</summary>
    public void Begin()
    {
        Sequence++;
        for (ulong page = 0; page * TrackerShape.SectorsPerPage < (ulong)_isChanged.Length; page++)
        {
            ulong sector = page * TrackerShape.SectorsPerPage;
            if (!HasPage(sector))
                continue;
            for (ulong end = sector + TrackerShape.SectorsPerPage; sector < end; sector++)
                if (_isChanged[sector])
                    Seal(sector);
            AddPage(Batch, page);
        }
        Array.Clear(_isChanged);
        _pageCount = 0;
        Batch.Begin();
    }

    /// <summary>All of it, as it is.</summary>
    /// <param name="isSecondFirst">The second copy is the one that is bad.</param>
    public void BeginWhole(bool isSecondFirst = false)
    {
        Check.That(IsIdle);
        Check.That(IsEmpty);
        for (ulong page = 0; page * TrackerShape.PageBytes < _sectors.LengthBytes; page++)
            AddPage(Whole, page, isSecondFirst);
        Whole.Begin();
    }

    void AddPage(TrackerBatch batch, ulong page, bool isSecondFirst = false)
    {
        ulong at = page * TrackerShape.PageBytes;
        (ulong one, ulong other) = isSecondFirst ? (_secondAt, _firstAt) : (_firstAt, _secondAt);
        batch.Add((int)at, TrackerShape.PageBytes, one + at, other + at);
    }

    bool HasPage(ulong sector)
    {
        ulong first = Units.AlignDown(sector, TrackerShape.SectorsPerPage);
        return _isChanged.AsSpan((int)first, (int)TrackerShape.SectorsPerPage).Contains(true);
    }

    void Load(HierarchicalBitmap open, ulong sector)
    {
        Extent extent = _shape.OfSector(sector);
        Span<byte> bits = SealedBlock.BitsOf(SectorAt(sector));
        Check.That(open.SerializePart(extent.OffsetBytes, extent.LengthBytes, bits).IsNone);
        Seal(sector);
    }

    void Seal(ulong sector) =>
        SealedBlock.Seal(SectorAt(sector), new BlockPlace(BlockKind.Intents, _trackerTag, 0, sector), Sequence);

    Span<byte> SectorAt(ulong sector) => _sectors.Slice(sector * TrackerShape.SectorBytes, TrackerShape.SectorBytes);

    public void Dispose() => _sectors.Dispose();
}
