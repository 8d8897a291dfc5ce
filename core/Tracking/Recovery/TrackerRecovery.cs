// From the bytes of a tracker file, and what is so now, to a map of what changed or to a reason.
//
// One rule makes it short: nothing relies on a write of the tracker before both of its copies are durable. So any copy
// that is whole is new enough, whichever it is, and it does not matter whether the other one was torn by a power cut or
// has rotted since. Of two whole copies the higher sequence counts. Where none is whole: the header refuses the file,
// a block makes all that it tells about changed.
//
//   state    boot              map
//   closed   any               fine; the disk must be as it was left (else foreign-writes)
//   moved    any               none: a tracker on another host has it
//   open     this, same file   live, exact: the page cache has outlived the process
//   open     other             fine, and all open regions: whatever landed after the last fine flush is in one of them
//
// The live map is taken only where nothing speaks against it: the file is the one that was open (a copy of it, or a
// file put back from a backup, has another inode), a flush of it has just succeeded (a page whose write-back has failed
// may be an old one since), and it has every bit that the fine map has. Else the second rule, which is always right.
// An open region counts in the closed state, too: a detach leaves none, so whatever is there has a reason.
//
// All this is about the map that records, which the last point begins. The maps of the points before are frozen: whole
// in their fine pages before a header named them. A table of points without a whole copy leaves the base alone, with
// everything changed; a map page without one makes its granules changed in that map.
//
// Cost: reads both copies of everything once; for 1 TiB with granules of 64 KiB some 6 MiB. Allocates the two bitmaps.
// What it does not do: write. What is bad is told, and healed by whoever attaches, bad copy first.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;

namespace FastBackup.Tracking.Recovery;

/// <summary>Threads: one, used once.</summary>
sealed class TrackerRecovery
{
    readonly ITrackerReader _file;
    readonly TrackerHeader _header;
    readonly HierarchicalBitmap _fine;
    readonly HierarchicalBitmap _open;
    readonly List<(ulong Page, bool IsSecondBad)> _badPages = [];
    readonly List<(int, IReadOnlyList<(ulong, bool)>)> _badFrozen = [];
    readonly byte[] _first = new byte[TrackerShape.PageBytes];
    readonly byte[] _second = new byte[TrackerShape.PageBytes];
    ulong _lostBlockCount;
    ulong _lastSequence;

    TrackerRecovery(ITrackerReader file, TrackerHeader header)
    {
        (_file, _header) = (file, header);
        _fine = HierarchicalBitmap.Create(Shape.DiskBytes, Shape.GranuleBytes);
        _open = HierarchicalBitmap.Create(Shape.DiskBytes, Shape.RegionBytes);
    }

    TrackerShape Shape => _header.Shape;

    /// <summary>Never fails: what cannot be used has a refusal. The result is of the disk that the header knows, also
    /// where the disk is larger by now: then <see cref="Storage.TrackerGrowth"/> comes next.</summary>
    /// <exception cref="InsufficientMemoryException">The bitmaps do not fit.</exception>
    /// <param name="file">The tracker file.</param>
    /// <param name="world">What is so now.</param>
    /// <param name="live">The live map in a file of its own; null: there is none.</param>
    /// <param name="next">Of the map of a point that was being made; null: there is none.</param>
    public static RecoveredTracker Recover(
        ITrackerReader file,
        in TrackerWorld world,
        LiveImage? live = null,
        LiveImage? next = null
    )
    {
        HeaderCopy first = ReadHeader(file, 0);
        HeaderCopy second = ReadHeader(file, HeaderBytes.SecondCopyAt);
        HeaderCopy chosen = HeaderBytes.Choose(first, second);
        TrackerRefusal refusal = chosen.Refusal;
        if (refusal == TrackerRefusal.None && first.IsWhole && second.IsWhole)
            refusal = JudgePair(first, second);
        if (refusal == TrackerRefusal.None)
            refusal = Judge(chosen.Header!, file.SizeBytes, world);
        if (next != null && chosen.Header is { } named && IsOf(named, world, next))
            live = next;
        bool isLiveOurs = live != null && chosen.Header is { } header && IsOf(header, world, live);
        if (refusal == TrackerRefusal.None && isLiveOurs && live!.IsVoid)
            refusal = TrackerRefusal.Inconsistent;
        if (refusal != TrackerRefusal.None)
            return new RecoveredTracker { Refusal = refusal, Header = chosen.Header };
        bool isSecondBad = first.IsWhole && second.Sequence < first.Sequence;
        return new TrackerRecovery(file, chosen.Header!).Build(world, isLiveOurs ? live!.Bits : null, isSecondBad);
    }

    /// <summary>For a file that is refused and of which the header counts: everything has changed.</summary>
    /// <param name="file">The tracker file.</param>
    /// <param name="header">The one that counts.</param>
    /// <returns>Without a refusal and without points, and with the sequences that the file has.</returns>
    /// <exception cref="InsufficientMemoryException">The bitmaps do not fit.</exception>
    public static RecoveredTracker TakeAllForChanged(ITrackerReader file, TrackerHeader header)
    {
        TrackerRecovery recovery = new(file, HeaderRules.WithoutPoints(header));
        recovery.ReadFine(header.MapId, recovery._fine, recovery._badPages);
        recovery.ReadIntents();
        recovery._fine.SetAll();
        recovery._open.ResetAll();
        return new RecoveredTracker
        {
            Refusal = TrackerRefusal.None,
            Header = recovery._header,
            Rule = RecoveryRule.Durable,
            Changed = recovery._fine,
            Chain = new MapChain([BaseOf(header)], [recovery._fine]),
            Open = recovery._open,
            BadPages = recovery._badPages,
            LastSequence = recovery._lastSequence,
        };
    }

    /// <summary>
    /// It was made for this opening of this file, in this boot; or for the next one, which was not said yet: no write
    /// can have passed since.
    /// </summary>
    static bool IsOf(TrackerHeader header, in TrackerWorld world, LiveImage live) =>
        header is { State: TrackerState.Open, IsLiveElsewhere: true }
        && header.BootId == world.BootId
        && header.Home == world.Home
        && live.TrackerId == header.TrackerId
        && live.MapId == header.MapId
        && (live.Sequence == header.Sequence || live.Sequence == header.Sequence + 1)
        && live.Bits.SizeBytes >= header.Shape.LiveBytes;

    /// <summary>The header that counts, or why there is none.</summary>
    public static HeaderCopy ChooseHeader(ITrackerReader file) =>
        HeaderBytes.Choose(ReadHeader(file, 0), ReadHeader(file, HeaderBytes.SecondCopyAt));

    static HeaderCopy ReadHeader(ITrackerReader file, ulong atBytes)
    {
        if (file.SizeBytes <= atBytes)
            return HeaderBytes.Read([]);
        byte[] bytes = new byte[Math.Min(HeaderBytes.LengthMaxBytes, file.SizeBytes - atBytes)];
        return HeaderBytes.Read(file.TryRead(atBytes, bytes) ? bytes : []);
    }

    /// <summary>Two trackers in one file, or two headers with one sequence, were never written by us.</summary>
    static TrackerRefusal JudgePair(in HeaderCopy first, in HeaderCopy second)
    {
        if (first.Header is not { } one || second.Header is not { } other)
            return TrackerRefusal.None;
        bool isOther = one.TrackerId != other.TrackerId;
        bool isSplit = one.Sequence == other.Sequence && one with { Areas = other.Areas } != other;
        return isOther || isSplit ? TrackerRefusal.Impossible : TrackerRefusal.None;
    }

    static TrackerRefusal Judge(TrackerHeader header, ulong fileBytes, in TrackerWorld world)
    {
        foreach (TrackerArea area in header.Areas)
            if (area.EndBytes > fileBytes)
                return TrackerRefusal.Truncated;
        if (header.DiskId != world.DiskId)
            return TrackerRefusal.ForeignDisk;
        bool mayHaveGrown =
            header.Shape.DiskBytes <= world.DiskBytes && (header.Shape with { DiskBytes = world.DiskBytes }).IsLegal;
        if (!mayHaveGrown)
            return TrackerRefusal.Resized;
        if (header.State is TrackerState.Inconsistent or TrackerState.Moved)
            return header.State == TrackerState.Moved ? TrackerRefusal.Moved : TrackerRefusal.Inconsistent;
        return header.State == TrackerState.Closed && !IsAsLeft(header, world)
            ? TrackerRefusal.ForeignWrites
            : TrackerRefusal.None;
    }

    /// <summary>Growth changes a file's times, and then nobody knows what else did: it grows by us. A block device has
    /// none.</summary>
    static bool IsAsLeft(TrackerHeader header, in TrackerWorld world) =>
        header.Shape.DiskBytes == world.DiskBytes
            ? header.Stamp == world.Stamp
            : header.Stamp == new DiskStamp(0, 0, world.PlacesBefore);

    RecoveredTracker Build(in TrackerWorld world, ITrackerReader? elsewhere, bool isSecondHeaderBad)
    {
        ReadFine(_header.MapId, _fine, _badPages);
        ReadIntents();
        if (!TryReadPoints(out TrackedPoint[] points))
            return Impossible();
        bool isTableLost = points.Length == 0;
        if (isTableLost)
            points = [BaseOf(_header)];
        HierarchicalBitmap[] maps = ReadFrozen(points);
        HierarchicalBitmap? live =
            elsewhere != null ? TryReadLive(elsewhere, 0)
            : IsLiveHere(world) ? TryReadLive(_file, _header.Find(AreaKind.Live, _header.MapId).OffsetBytes)
            : null;
        if (live == null)
            AddOpenRegions();
        else
            _fine.Dispose();
        maps[^1] = live ?? _fine;
        if (isTableLost)
            maps[^1].SetAll();
        return new RecoveredTracker
        {
            Refusal = TrackerRefusal.None,
            Header = isTableLost ? HeaderRules.WithoutPoints(_header) : _header,
            Rule = live == null ? RecoveryRule.Durable : RecoveryRule.Exact,
            Changed = maps[^1],
            Chain = new MapChain(points, maps),
            Open = _open,
            BadPages = _badPages,
            BadFrozen = _badFrozen,
            LostBlockCount = _lostBlockCount,
            IsSecondHeaderBad = isSecondHeaderBad,
            LastSequence = _lastSequence,
        };
    }

    static TrackedPoint BaseOf(TrackerHeader header) => new(header.MapId, 0, IsBase: true, "");

    RecoveredTracker Impossible()
    {
        _fine.Dispose();
        _open.Dispose();
        return new RecoveredTracker { Refusal = TrackerRefusal.Impossible, Header = _header };
    }

    /// <param name="points">One for a file without a table; none where no copy of a page of it is whole.</param>
    /// <returns>False: it says what cannot be.</returns>
    bool TryReadPoints(out TrackedPoint[] points)
    {
        TrackerArea first = Array.Find(_header.Areas, area => area.Kind == AreaKind.PointsFirst);
        TrackerArea second = Array.Find(_header.Areas, area => area.Kind == AreaKind.PointsSecond);
        points = [BaseOf(_header)];
        if (first.LengthBytes == 0)
            return true;
        byte[] bytes = new byte[first.LengthBytes / TrackerShape.PageBytes * PointTable.BytesPerPage];
        for (ulong page = 0; page * TrackerShape.PageBytes < first.LengthBytes; page++)
        {
            ulong at = page * TrackerShape.PageBytes;
            BlockPlace place = new(BlockKind.Points, _header.TrackerTag, first.MapId, page);
            bool isFirst = SequenceAt(first.OffsetBytes + at, _first, place) > 0;
            if (!isFirst && SequenceAt(second.OffsetBytes + at, _second, place) == 0)
            {
                _lostBlockCount++;
                points = [];
                return true;
            }
            ReadOnlySpan<byte> found = SealedBlock.BitsOf((ReadOnlySpan<byte>)(isFirst ? _first : _second));
            found.CopyTo(bytes.AsSpan((int)page * PointTable.BytesPerPage));
        }
        points = PointTable.TryRead(bytes) ?? [];
        return points.Length > 0 && PointTable.IsLegal(_header, points);
    }

    /// <summary>All but the last, which records.</summary>
    HierarchicalBitmap[] ReadFrozen(TrackedPoint[] points)
    {
        HierarchicalBitmap[] maps = new HierarchicalBitmap[points.Length];
        for (int i = 0; i < points.Length - 1; i++)
        {
            List<(ulong, bool)> badPages = [];
            maps[i] = HierarchicalBitmap.Create(Shape.DiskBytes, Shape.GranuleBytes);
            ReadFine(points[i].MapId, maps[i], badPages);
            if (badPages.Count > 0)
                _badFrozen.Add((i, badPages));
        }
        return maps;
    }

    void ReadFine(ulong mapId, HierarchicalBitmap map, List<(ulong Page, bool IsSecondBad)> badPages)
    {
        ulong firstAt = _header.Find(AreaKind.FineFirst, mapId).OffsetBytes;
        ulong secondAt = _header.Find(AreaKind.FineSecond, mapId).OffsetBytes;
        for (ulong page = 0; page < Shape.FinePageCount; page++)
        {
            ulong at = page * TrackerShape.PageBytes;
            BlockPlace place = new(BlockKind.Fine, _header.TrackerTag, mapId, page);
            ulong first = SequenceAt(firstAt + at, _first, place);
            ulong second = SequenceAt(secondAt + at, _second, place);
            if (first != second)
                badPages.Add((page, second < first));
            Extent extent = Shape.OfFinePage(page);
            if (first == 0 && second == 0)
            {
                badPages.Add((page, false));
                _lostBlockCount++;
                Check.That(map.SetExclusive(extent.OffsetBytes, extent.LengthBytes).IsNone);
                continue;
            }
            ReadOnlySpan<byte> bits = SealedBlock.BitsOf((ReadOnlySpan<byte>)(first >= second ? _first : _second));
            if (bits.ContainsAnyExcept((byte)0)) // else its memory is not even touched
                Load(map, extent, bits);
        }
    }

    void ReadIntents()
    {
        ulong firstAt = _header.Find(AreaKind.IntentsFirst, 0).OffsetBytes;
        ulong secondAt = _header.Find(AreaKind.IntentsSecond, 0).OffsetBytes;
        Span<byte> one = _first.AsSpan(0, TrackerShape.SectorBytes);
        Span<byte> other = _second.AsSpan(0, TrackerShape.SectorBytes);
        for (ulong sector = 0; sector < Shape.IntentSectorCount; sector++)
        {
            ulong at = sector * TrackerShape.SectorBytes;
            BlockPlace place = new(BlockKind.Intents, _header.TrackerTag, 0, sector);
            ulong first = SequenceAt(firstAt + at, one, place);
            ulong second = SequenceAt(secondAt + at, other, place);
            Extent extent = Shape.OfSector(sector);
            if (first == 0 && second == 0)
            {
                _lostBlockCount++;
                Check.That(_open.SetExclusive(extent.OffsetBytes, extent.LengthBytes).IsNone);
                continue;
            }
            Load(_open, extent, SealedBlock.BitsOf(first >= second ? one : other));
        }
    }

    /// <summary>0: this copy does not count.</summary>
    ulong SequenceAt(ulong atBytes, Span<byte> block, in BlockPlace place)
    {
        if (!_file.TryRead(atBytes, block) || !SealedBlock.TryOpen(block, place, out ulong sequence))
            return 0;
        _lastSequence = Math.Max(_lastSequence, sequence);
        return sequence;
    }

    bool IsLiveHere(in TrackerWorld world) =>
        _header is { State: TrackerState.Open, IsLiveElsewhere: false }
        && _header.BootId == world.BootId
        && _header.Home == world.Home
        && world.IsFileSettled;

    HierarchicalBitmap? TryReadLive(ITrackerReader file, ulong liveAt)
    {
        HierarchicalBitmap live = HierarchicalBitmap.Create(Shape.DiskBytes, Shape.GranuleBytes);
        const ulong granulesPerPiece = TrackerShape.PageBytes * 8UL;
        for (ulong granule = 0; granule < Shape.GranuleCount; granule += granulesPerPiece)
        {
            ulong offsetBytes = granule * Shape.GranuleBytes;
            ulong lengthBytes = Math.Min(granulesPerPiece * Shape.GranuleBytes, Shape.DiskBytes - offsetBytes);
            if (!file.TryRead(liveAt + granule / 8, _first))
            {
                live.Dispose();
                return null;
            }
            Load(live, new Extent(offsetBytes, lengthBytes), _first);
        }
        Check.That(live.DeserializeFinish().IsNone);
        if (Has(live, _fine))
            return live;
        live.Dispose();
        return null;
    }

    /// <summary>Whether the map has every bit of the part.</summary>
    static bool Has(HierarchicalBitmap map, HierarchicalBitmap part)
    {
        ulong count = part.BitCount;
        for (ulong bit = part.NextDirtyBit(0, count); bit < count; bit = part.NextDirtyBit(bit + 1, count))
            if (!map.GetBit(bit))
                return false;
        return true;
    }

    void AddOpenRegions()
    {
        ulong count = Shape.RegionCount;
        for (
            ulong region = _open.NextDirtyBit(0, count);
            region < count;
            region = _open.NextDirtyBit(region + 1, count)
        )
        {
            Extent extent = Shape.OfRegion(region);
            Check.That(_fine.SetExclusive(extent.OffsetBytes, extent.LengthBytes).IsNone);
        }
    }

    /// <summary>Puts the bits of a page in the place of those that the map has.</summary>
    public static void Load(HierarchicalBitmap map, in Extent extent, ReadOnlySpan<byte> bits)
    {
        Check.That(map.SerializationSize(extent.OffsetBytes, extent.LengthBytes, out ulong lengthBytes).IsNone);
        Check.That(map.DeserializePart(extent.OffsetBytes, extent.LengthBytes, bits[..(int)lengthBytes]).IsNone);
    }
}
