// What a dirty bitmap must and may contain: every granule of a write that was acknowledged since the checkpoint, and
// none that no write has touched. Follows the bitmap through freeze, success and failure of jobs by the rules of the
// table sync x mode, not by the engine's code.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Oracle;

sealed class BitmapModel
{
    ulong[] _must;
    ulong[] _may;
    ulong[] _successorMust;
    ulong[] _successorMay;
    bool _owesAll;

    public BitmapModel(DirtyBitmap bitmap)
    {
        Bitmap = bitmap;
        BitCount = bitmap.Bits.BitCount;
        int words = (int)(BitCount / 64 + 1);
        (_must, _may) = (new ulong[words], new ulong[words]);
        (_successorMust, _successorMay) = (new ulong[words], new ulong[words]);
    }

    public DirtyBitmap Bitmap { get; }
    public ulong BitCount { get; private set; }
    public ulong BitmapBytes => Bitmap.SizeBytes;
    public bool IsBusy { get; private set; }
    public bool IsEnabled { get; set; } = true;

    public void OnWrite(in Extent extent, bool isCertain)
    {
        if (!IsEnabled || extent.IsEmpty)
            return;
        ulong first = extent.OffsetBytes / Bitmap.GranularityBytes;
        ulong last = (extent.EndBytes - 1) / Bitmap.GranularityBytes;
        ulong[] may = IsBusy ? _successorMay : _may;
        ulong[] must = IsBusy ? _successorMust : _must;
        for (ulong g = first; g <= last; g++)
        {
            may[g >> 6] |= 1UL << (int)g;
            if (isCertain)
                must[g >> 6] |= 1UL << (int)g;
        }
    }

    /// <summary>Its disk has grown: what is new is clean.</summary>
    public void Grow()
    {
        BitCount = Bitmap.Bits.BitCount;
        int words = (int)(BitCount / 64 + 1);
        Array.Resize(ref _must, words);
        Array.Resize(ref _may, words);
        Array.Resize(ref _successorMust, words);
        Array.Resize(ref _successorMay, words);
    }

    public void Freeze() => IsBusy = true;

    /// <summary>Only what was written since stays.</summary>
    public void Abdicate()
    {
        (_must, _successorMust) = (_successorMust, _must);
        (_may, _successorMay) = (_successorMay, _may);
        Thaw();
    }

    /// <summary>Nothing that was dirty is forgotten.</summary>
    public void Reclaim()
    {
        for (int i = 0; i < _must.Length; i++)
        {
            _must[i] |= _successorMust[i];
            _may[i] |= _successorMay[i];
        }
        Thaw();
    }

    /// <summary>
    /// What differs from T0 on the target must stay dirty; what is marked or was dirty may. To be followed by Reclaim.
    /// </summary>
    public void KeepRest(PointInTime point, HierarchicalBitmap remaining)
    {
        Array.Clear(_must);
        for (int c = 0; c < point.ClusterCount; c++)
        {
            Extent bytes = point.Bytes(c);
            if (remaining.GetBit((ulong)c))
                MarkMay(bytes);
            bool isTopHole = point.Sync == Jobs.BackupSync.Top && point.IsHole[c];
            if (!point.IsMember[c] || isTopHole || point.IsDiscarded[c])
                continue;
            MarkDifferences(point, bytes);
        }
    }

    /// <summary>
    /// The target of a chain in which every difference is in the bitmap: so it must be after a job failed, too. What
    /// the job may have spoilt may be in it as well.
    /// </summary>
    public void KeepChain(PointInTime point)
    {
        for (int c = 0; c < point.ClusterCount; c++)
            MarkDifferences(point, point.Bytes(c));
    }

    /// <summary>Clusters of requests that failed, or everything when the target has lost what it had taken.</summary>
    public void MaySpoil(PointInTime point, bool isAll)
    {
        HierarchicalBitmap unsure = point.Filter.Map.Unsure;
        for (int c = 0; c < point.ClusterCount; c++)
            if (isAll || unsure.GetBit((ulong)c))
                MarkMay(point.Bytes(c));
    }

    /// <summary>Everything, at the latest when who holds it lets go.</summary>
    public void OweAll()
    {
        _owesAll = true;
        if (!IsBusy)
            PayAll();
    }

    void PayAll()
    {
        for (ulong g = 0; _owesAll && g < BitCount; g++)
            _must[g >> 6] |= 1UL << (int)g;
        _owesAll = false;
    }

    void MarkDifferences(PointInTime point, in Extent bytes)
    {
        ulong step = Math.Min(Bitmap.GranularityBytes, bytes.LengthBytes);
        for (ulong at = bytes.OffsetBytes; at < bytes.EndBytes; at += step)
        {
            int length = (int)Math.Min(step, bytes.EndBytes - at);
            if (!point.Target.WillHold(at, point.Frozen.Slice((int)at, length)))
                _must[(at / Bitmap.GranularityBytes) >> 6] |= 1UL << (int)(at / Bitmap.GranularityBytes);
        }
    }

    void MarkMay(in Extent extent)
    {
        for (ulong g = extent.OffsetBytes / Bitmap.GranularityBytes; g * Bitmap.GranularityBytes < extent.EndBytes; g++)
            _may[g >> 6] |= 1UL << (int)g;
    }

    public void Clear()
    {
        Array.Clear(_must);
        Array.Clear(_may);
    }

    /// <summary>Another bitmap, of any granularity, was merged in.</summary>
    public void Merge(BitmapModel other)
    {
        for (ulong g = 0; g < other.BitCount; g++)
        {
            ulong start = g * other.Bitmap.GranularityBytes;
            ulong end = Math.Min(start + other.Bitmap.GranularityBytes, Bitmap.SizeBytes);
            for (ulong own = start / Bitmap.GranularityBytes; own * Bitmap.GranularityBytes < end; own++)
            {
                _must[own >> 6] |= (other._must[g >> 6] >> (int)g & 1) << (int)own;
                _may[own >> 6] |= (other._may[g >> 6] >> (int)g & 1) << (int)own;
            }
        }
    }

    /// <summary>Must and may of a granule, as the job that froze it sees it.</summary>
    public bool Must(ulong g) => (_must[g >> 6] >> (int)g & 1) != 0;

    public bool May(ulong g) => (_may[g >> 6] >> (int)g & 1) != 0;

    /// <summary>O5 and O7.</summary>
    /// <param name="rule">Which of them.</param>
    /// <param name="when">For people.</param>
    /// <param name="underWay">Writes that may be recorded already; none in a quiesced moment.</param>
    public void Check(string rule, string when, List<Extent>? underWay = null)
    {
        if (Bitmap.IsSettling)
            return; // between a job's last moment and its end, at which it is judged
        if (Bitmap.IsBusy != IsBusy)
            throw new SimulationFailure(rule, $"bitmap {Bitmap.Name} busy {Bitmap.IsBusy}, expected {IsBusy}, {when}");
        Compare(rule, when, Bitmap.Bits, _must, _may, underWay);
        if (IsBusy && Bitmap.Recording is { } successor)
            Compare(rule, when + " (successor)", successor, _successorMust, _successorMay, null);
    }

    void Compare(string rule, string when, HierarchicalBitmap bits, ulong[] must, ulong[] may, List<Extent>? underWay)
    {
        for (ulong g = 0; g < BitCount; g++)
        {
            bool isDirty = bits.GetBit(g);
            bool mustBe = (must[g >> 6] >> (int)g & 1) != 0;
            bool mayBe = mustBe || (may[g >> 6] >> (int)g & 1) != 0;
            if (mustBe && !isDirty)
                throw new SimulationFailure(rule, $"bitmap {Bitmap.Name} lost granule {g} {when}");
            Extent granule = new(g * Bitmap.GranularityBytes, Bitmap.GranularityBytes);
            if (isDirty && !mayBe && underWay?.Exists(write => write.Overlaps(granule)) != true)
                throw new SimulationFailure(rule, $"bitmap {Bitmap.Name} has granule {g} that nobody wrote {when}");
        }
    }

    void Thaw()
    {
        Array.Clear(_successorMust);
        Array.Clear(_successorMay);
        IsBusy = false;
        PayAll();
    }
}
