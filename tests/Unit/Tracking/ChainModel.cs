// A chain of backups over many lives of a disk: each link is the copy of a point, made from the copy of another one by
// what the tracker says has changed in between: the last one, any older one, or in full. In between points are deleted,
// copies fail, processes are killed and the power is cut, also while a point is made; and the disk grows, in use and at
// rest. Whatever happens, a copy that was made is the disk as it was at its instant, to the granule; and at every
// command to the tracker's file, whatever would be found after a power cut or a kill has every granule that differs
// from each point it names. Behind its end an older copy may hold anything.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;

namespace FastBackup.Tests.Unit.Tracking;

public enum ChainMistake
{
    None,

    /// <summary>Bits go to the new map in a moment of their own, behind the instant of the copy.</summary>
    SwapOutsideMoment,

    /// <summary>A point is named though pages of the map before it were not written.</summary>
    PointBeforeFrozenPages,

    /// <summary>The mirror of the map that still counts gets no bits from the swap on.</summary>
    OldMirrorForgotten,

    /// <summary>A point of a copy that failed is taken for that of a copy.</summary>
    FailedCopyCounts,

    /// <summary>Not all that is new of a disk that has grown counts as changed.</summary>
    NewPartIsClean,

    /// <summary>The header has the new size before the maps are where it says.</summary>
    HeaderBeforeMaps,

    /// <summary>Regions that stay open are not open in the file of the larger disk.</summary>
    OpenRegionsForgotten,
}

sealed class ChainModel : ITrackerStorage, IDisposable
{
    const ulong Garbage = ulong.MaxValue;
    const int GrowthMax = 6; // times
    const ulong GrowthBytesMax = 200_000; // each
    const int NamesMax = 3; // of one instant

    sealed record Link(string Name, ulong[] Disk, ulong[]? Copy, HashSet<ulong> Written, ulong DiskBytes)
    {
        /// <summary>From here on it knows nothing of a larger disk.</summary>
        public ulong End => DiskBytes / PointScene.Shape.GranuleBytes;
    }

    readonly Prng _chance;
    readonly ChainMistake _mistake;
    readonly bool _isTried;
    readonly int _pointsMax;
    readonly ulong[] _content = new ulong[PointScene.Shape.GranuleCount + 50 * GrowthMax];
    readonly List<Link> _links = [];
    readonly HashSet<string> _pending = []; // being made or deleted: there or not
    PointedDisk _life;
    UInt128 _boot = TrackerScene.Boot;
    ulong _diskBytes = PointScene.Shape.DiskBytes;
    int _count;
    bool _isBroken;

    /// <param name="seed">Of all chance.</param>
    /// <param name="mistake">That is made on the way.</param>
    /// <param name="isTried">What every command would leave is looked at.</param>
    /// <param name="pointsMax">From that many on one is deleted before another is made.</param>
    public ChainModel(ulong seed, ChainMistake mistake, bool isTried, int pointsMax)
    {
        (_chance, _mistake, _isTried, _pointsMax) = (new Prng(seed), mistake, isTried, pointsMax);
        _life = Begin(PointScene.NewFile(), isSameBoot: false, null, null);
    }

    public ulong TrialCount { get; private set; }

    public ulong CopyCount { get; private set; }

    public ulong EndCount { get; private set; }

    public ulong GrowthCount { get; private set; }

    /// <summary>Fails by a <see cref="ModelException"/>.</summary>
    public void Run(int linkCount)
    {
        _isBroken = true; // until it has come to its end
        for (int i = 0; i < linkCount; i++)
        {
            for (ulong writes = _chance.Below(6); writes > 0; writes--)
                _life.Write();
            _life.RunFor(_chance.Below(100_000));
            if (_links.Count > 0 && (_links.Count > _pointsMax || _chance.Chance(1, 6)))
                Delete(AnyLink());
            while (_links.Count > 0 && _life.Chain.Points.Count > TrackedPoint.CountMax - NamesMax)
                Delete(AnyLink());
            Make();
            if (GrowthCount < GrowthMax && _chance.Chance(1, 8))
                Grow();
            if (_chance.Chance(1, 8))
                EndLife(_chance.Chance(1, 2));
        }
        EndLife(isCut: true);
        _isBroken = false;
    }

    Link AnyLink() => _links[(int)_chance.Below((ulong)_links.Count)];

    /// <summary>In use, or in the next life.</summary>
    void Grow()
    {
        GrowthCount++;
        _diskBytes += 1 + _chance.Below(GrowthBytesMax);
        if (_chance.Chance(1, 4))
            EndLife(_chance.Chance(1, 2));
        else
            _life.Grow(_diskBytes, this, _mistake);
    }

    void Make()
    {
        string name = $"p{_count++}";
        string[] names = _chance.Chance(1, 4) ? [name, name + "b", name + "c"] : [name]; // of one instant
        bool fails = _chance.Chance(1, 6);
        bool isCutShort = _chance.Chance(1, 10);
        ulong[] disk = [];
        ulong[]? copy = null;
        HashSet<ulong> written = [];
        _pending.UnionWith(names);
        _life.Add(
            names,
            this,
            () =>
            {
                disk = (ulong[])_content.Clone();
                copy = fails && _mistake != ChainMistake.FailedCopyCounts ? null : Copy(fails);
                foreach (string one in names)
                    _links.Add(new Link(one, disk, copy, written, _diskBytes));
            },
            swapsLater: _mistake == ChainMistake.SwapOutsideMoment,
            stops: () => isCutShort && _chance.Chance(1, 3)
        );
        if (_life.Chain.Find(name) < 0)
        {
            EndLife(_chance.Chance(1, 2));
            return;
        }
        _pending.ExceptWith(names);
        Check(copy, disk, fails);
    }

    void Check(ulong[]? copy, ulong[] disk, bool fails)
    {
        if (copy == null || fails)
            return;
        CopyCount++;
        if (!copy.AsSpan().SequenceEqual(disk))
            throw new ModelException("a copy is not the disk as it was");
    }

    /// <summary>In the moment: from the copy of some point, what has changed since; or all.</summary>
    ulong[] Copy(bool fails)
    {
        List<Link> bases = _links.FindAll(link => link.Copy != null && _life.Chain.Find(link.Name) >= 0);
        if (bases.Count == 0 || _chance.Chance(1, 10))
            return (ulong[])_content.Clone();
        Link from = _chance.Chance(2, 3) ? bases[^1] : bases[(int)_chance.Below((ulong)bases.Count)];
        ulong[] copy = (ulong[])from.Copy!.Clone();
        if (from.DiskBytes < _diskBytes)
            copy.AsSpan((int)from.End, (int)(GranuleCount - from.End)).Fill(Garbage);
        foreach (ulong granule in _life.Since(from.Name))
            if (!fails || _chance.Chance(1, 2))
                copy[granule] = _content[granule];
        return copy;
    }

    ulong GranuleCount => Units.DivCeil(_diskBytes, PointScene.Shape.GranuleBytes);

    void Delete(Link link)
    {
        if (_life.Chain.Find(link.Name) < 0)
            return;
        _ = _pending.Add(link.Name);
        _life.Delete(link.Name, this);
        _ = _pending.Remove(link.Name);
        _ = _links.Remove(link);
    }

    PointedDisk Begin(ModelFile file, bool isSameBoot, LiveImage? live, LiveImage? next)
    {
        if (!isSameBoot)
            _boot++;
        TrackerHeader header = PointScene.Header();
        return new PointedDisk(_chance.NextULong(), file, World(header, _boot), live, next, _content)
        {
            Tries = _isTried ? Try : null,
            OnLanded = granule =>
            {
                foreach (Link link in _links)
                    _ = link.Written.Add(granule);
            },
            ForgetsOldMirror = _mistake == ChainMistake.OldMirrorForgotten,
            LosesFrozenPages = _mistake == ChainMistake.PointBeforeFrozenPages,
        };
    }

    TrackerWorld World(TrackerHeader header, UInt128 boot) =>
        new(header.DiskId, _diskBytes, header.Stamp, boot, header.Home, IsFileSettled: true, header.Stamp.Places);

    void EndLife(bool isCut)
    {
        EndCount++;
        _life.Settle();
        ModelFile file = isCut ? _life.File.Cut(_chance) : _life.File.Kill();
        LiveImage? live = isCut ? null : _life.Live;
        LiveImage? next = isCut ? null : _life.NextLive;
        PointedDisk before = _life;
        ulong[] content = (ulong[])_content.Clone();
        before.Tries = null;
        before.OnLanded = null;
        before.Dispose();
        content.CopyTo(_content, 0); // what it did since is not the disk's
        _life = Begin(file, !isCut, live, next);
        foreach (Link link in _links.ToArray())
            if (_life.Chain.Find(link.Name) < 0)
                Forget(link);
        _pending.Clear();
    }

    void Forget(Link link)
    {
        if (!_pending.Contains(link.Name))
            throw new ModelException($"point '{link.Name}' is lost");
        _ = _links.Remove(link);
    }

    /// <summary>What would be found if all ended here.</summary>
    void Try()
    {
        TrialCount += 3;
        Judge(_life.File.Cut(_chance), isSameBoot: false, "power cut");
        Judge(_life.File.Cut(_chance, tearsSectors: true), isSameBoot: false, "power cut that tears");
        Judge(_life.File.Kill(), isSameBoot: true, "kill");
    }

    void Judge(ModelFile file, bool isSameBoot, string what)
    {
        RecoveredTracker known = TrackerRecovery.Recover(
            file,
            World(PointScene.Header(), isSameBoot ? _boot : _boot + 1000),
            isSameBoot ? _life.Live : null,
            isSameBoot ? _life.NextLive : null
        );
        if (known.Refusal != TrackerRefusal.None)
            throw new ModelException($"{what}: refused, {known.Refusal}");
        using RecoveredTracker found =
            known.Header!.Shape.DiskBytes < _diskBytes ? TrackerGrowth.See(known, _diskBytes) : known;
        if (isSameBoot && found.Rule != RecoveryRule.Exact)
            throw new ModelException($"{what}: not exact");
        foreach (Link link in _links)
        {
            int index = found.Chain!.Find(link.Name);
            if (index < 0 && !_pending.Contains(link.Name))
                throw new ModelException($"{what}: point '{link.Name}' is lost");
            if (index >= 0)
                Judge(found.Chain, index, link, isSameBoot, what);
        }
    }

    void Judge(MapChain chain, int index, Link link, bool isExact, string what)
    {
        using HierarchicalBitmap since = chain.Since(index);
        for (ulong granule = 0; granule < GranuleCount; granule++)
        {
            bool isThere = since.GetBit(granule);
            bool isNew = link.DiskBytes < _diskBytes && granule >= link.End;
            if (!isThere && (isNew || _content[granule] != link.Disk[granule]))
                throw new ModelException($"{what}: granule {granule} is missed since '{link.Name}'");
            if (isThere && isExact && EndCount == 0 && !isNew && !link.Written.Contains(granule))
                throw new ModelException($"{what}: granule {granule} is named for nothing since '{link.Name}'");
        }
    }

    public ulong SizeBytes => _life.File.SizeBytes;

    public bool TryRead(ulong offsetBytes, Span<byte> bytes) => _life.File.TryRead(offsetBytes, bytes);

    public Fault Grow(ulong sizeBytes) => _life.File.Grow(sizeBytes);

    public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        _life.Tries?.Invoke();
        _life.File.Write(offsetBytes, bytes);
        _life.Tries?.Invoke();
        return Fault.None;
    }

    public Fault Flush()
    {
        _life.File.Flush();
        _life.Tries?.Invoke();
        return Fault.None;
    }

    /// <summary>A life that was left in the middle of a step cannot be ended.</summary>
    public void Dispose()
    {
        if (!_isBroken)
            _life.Dispose();
    }
}
