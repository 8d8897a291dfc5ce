// What a bitmap names becomes the map's after the point in time, not in it: guests wait for that moment, and a bitmap
// may have a bit for each sector of many tebibytes. The moment only says which bitmap it is (Name). From then on
// the bitmap is at rest, and speaks for every line of the map (512 clusters) that was not taken over yet:
//
//   line not taken     protected and to be copied is what the bitmap names, rounded outwards to clusters
//   line taken         the map's own bits, as in CopyMap.cs
//
// The reactor takes lines over one after the other, and at once those that somebody waits for. Each line is taken once,
// before anything of it is claimed: first the bits are set, then the line counts as taken. So a guest's thread that
// sees it taken sees the bits, too; one that sees it not taken yet looks at the bitmap, whose bits are never cleared
// meanwhile and contain the map's: it asks the reactor once too often at worst, and never too seldom.
//
// Cost: some hundred nanoseconds a line, 40 us where the bitmap is much finer and every other granule is dirty; a clean
// stretch of any length costs one search. One bit of memory a line.
// Does not notice changes of the bitmap: a job that uses it keeps it frozen until all is taken over.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Copy;

public sealed partial class CopyMap
{
    /// <summary>Clusters for which the bitmap speaks, or the map: a line of its level 0.</summary>
    public const ulong LineClusters = 512;

    const ulong WorkAPiece = 6144; // half a millisecond at most: 1024 lines, or 12 of a bitmap that is much finer
    const ulong WorkAtOnce = 384; // for one who waits
    const ulong LinesAlways = 4;
    const ulong LineWork = 2; // that of finding it and of summaries

    readonly HierarchicalBitmap _untaken; // a bit a line; cleared by the reactor, read by any thread
    HierarchicalBitmap? _named; // null when there is nothing to take over any more
    HierarchicalBitmap? _readable;
    ulong _nextLine;

    /// <summary>All that a bitmap named is taken over; or none was named.</summary>
    public bool IsWhole => Volatile.Read(ref _named) == null;

    /// <summary>What was taken over so far, in bytes of the disk.</summary>
    public ulong NamedBytes { get; private set; }

    /// <summary>What is to be copied will be named. Before the filter is attached.</summary>
    /// <param name="readable">Gains what is named as well, or null.</param>
    /// <remarks>Threads: any, alone with the map. Cost: a bit a line.</remarks>
    internal void AwaitName(HierarchicalBitmap? readable)
    {
        _untaken.SetAll();
        _readable = readable;
    }

    /// <summary>What is dirty is to be copied and protected from now on. The disk must be quiesced.</summary>
    /// <param name="named">
    /// Of this size and any granularity, rounded outwards to clusters; at rest until <see cref="IsWhole"/>.
    /// </param>
    /// <remarks>After <see cref="AwaitName"/>, once. Cost: O(1).</remarks>
    internal void Name(HierarchicalBitmap named)
    {
        Check.That(named.SizeBytes == SizeBytes);
        Check.That(_untaken.CountBits() == _untaken.BitCount);
        Volatile.Write(ref _named, named);
    }

    /// <summary>What <see cref="NamedBytes"/> will be, or more where the bitmap is finer. Cost: O(1).</summary>
    internal ulong NamedBytesMax(HierarchicalBitmap named)
    {
        if (named.GranularityBytes >= ClusterBytes)
            return named.CountBytes();
        ulong bits = named.CountBits();
        return bits > SizeBytes / ClusterBytes ? SizeBytes : bits * ClusterBytes;
    }

    /// <summary>Takes the next lines over. The reactor's, after the point in time.</summary>
    /// <returns>True when none is left.</returns>
    internal bool TakePiece()
    {
        if (_named is not { } named)
            return true;
        for (ulong work = 0; work < WorkAPiece; )
        {
            ulong line = _untaken.NextDirtyBit(_nextLine, _untaken.BitCount);
            if (line != HierarchicalBitmap.NotFound)
                line = SkipClean(named, line);
            if (line == HierarchicalBitmap.NotFound)
            {
                Check.That(_untaken.CountBits() == 0);
                Volatile.Write(ref _named, null);
                return true;
            }
            work += TakeLine(named, line);
            _nextLine = line + 1;
        }
        return false;
    }

    /// <summary>Takes over what somebody waits for. The reactor's, after the point in time.</summary>
    /// <param name="firstCluster">At most the number of clusters.</param>
    /// <param name="clusterCount">Cut at the disk's end.</param>
    /// <returns>
    /// False when only a part of a long range was taken; a range in up to four lines always is.
    /// </returns>
    internal bool TryTake(ulong firstCluster, ulong clusterCount)
    {
        if (_named is not { } named || clusterCount == 0)
            return true;
        ulong endCluster = firstCluster + Math.Min(clusterCount, ClusterCount - firstCluster);
        ulong line = firstCluster / LineClusters;
        ulong endLine = Units.DivCeil(endCluster, LineClusters);
        ulong work = 0;
        for (ulong count = 0; ; count++)
        {
            line = _untaken.NextDirtyBit(line, endLine);
            if (line == HierarchicalBitmap.NotFound)
                return true;
            if (count >= LinesAlways && work >= WorkAtOnce)
                return false;
            work += TakeLine(named, line);
        }
    }

    /// <summary>Whether a cluster is to be copied by whoever claims it, taken over or not.</summary>
    public bool IsTodo(ulong cluster) =>
        Todo.GetBit(cluster) || (_named is { } named && IsUntaken(cluster, 1) && IsNamed(named, Bytes(cluster, 1)));

    /// <summary>A part of the range was not taken over yet, and its bitmap names something in the range.</summary>
    bool IsProtectedByName(HierarchicalBitmap named, ulong firstCluster, ulong clusterCount) =>
        clusterCount > 0 && IsUntaken(firstCluster, clusterCount) && IsNamed(named, Bytes(firstCluster, clusterCount));

    bool IsUntaken(ulong firstCluster, ulong clusterCount)
    {
        ulong line = firstCluster / LineClusters;
        return _untaken.IsAnySet(line, Units.DivCeil(firstCluster + clusterCount, LineClusters) - line);
    }

    /// <summary>Its summaries hide nothing: it is at rest.</summary>
    static bool IsNamed(HierarchicalBitmap named, in Extent extent)
    {
        Check.That(named.NextDirty(extent.OffsetBytes, extent.EndBytes, out ulong dirty).IsNone);
        return dirty != HierarchicalBitmap.NotFound;
    }

    /// <summary>Lines of which nothing is named need not be taken one by one.</summary>
    /// <returns>The first untaken line from this one on of which something is named; or NotFound.</returns>
    ulong SkipClean(HierarchicalBitmap named, ulong line)
    {
        ulong at = line;
        while (at != HierarchicalBitmap.NotFound)
        {
            Check.That(named.NextDirty(at * LineClusters * ClusterBytes, SizeBytes, out ulong dirty).IsNone);
            ulong found = _untaken.BitCount;
            if (dirty != HierarchicalBitmap.NotFound)
                found = dirty / ClusterBytes / LineClusters;
            _untaken.ClearBits(at, found - at);
            if (found == _untaken.BitCount)
                return HierarchicalBitmap.NotFound;
            at = _untaken.NextDirtyBit(found, _untaken.BitCount);
            if (at == found)
                return found;
        }
        return at;
    }

    /// <returns>The work that it was.</returns>
    ulong TakeLine(HierarchicalBitmap named, ulong line)
    {
        ulong first = line * LineClusters;
        ulong count = Math.Min(LineClusters, ClusterCount - first);
        ulong before = Todo.CountBits();
        ulong work = LineWork + Todo.MergeLines(named, first, count);
        Protected.MergeLines(Todo, first, count);
        _readable?.MergeLines(Todo, first, count);
        NamedBytes += (Todo.CountBits() - before) * ClusterBytes;
        bool hasLast = first + count == ClusterCount && Todo.GetBit(ClusterCount - 1);
        if (hasLast)
            NamedBytes -= ClusterBytes - Bytes(ClusterCount - 1, 1).LengthBytes;
        _untaken.ClearBits(line, 1); // last: see above
        return work;
    }
}
