// A tracker under guests, flushes, power cuts and kills, one small step at a time from a seed. At every step somebody
// tries what would be found after a power cut, a cut that tears sectors, a cut with a rotten copy, and a kill: whatever
// may have landed must be in the map; without rot, only open regions may be in it beside that; after a kill, nothing.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Store;

namespace FastBackup.Tests.Unit.Tracking;

sealed class TrackerModel : IDisposable
{
    const int OpenMax = 24;

    readonly Prng _chance;
    readonly ModelMistake _mistake;
    readonly TrackerShape _shape;
    readonly Queue<ulong> _waiting = new(); // granules whose writes wait
    readonly List<ulong> _looked = []; // granules whose writes may pass and have not set their bits
    readonly HashSet<ulong> _inBatch = []; // regions that the last batch of intents opens or closes
    readonly HierarchicalBitmap _landed;
    ModelFile _file;
    UInt128 _boot = TrackerScene.Boot;
    RecoveredTracker _tracker;
    TrackerStore _store;
    bool _isFlushing;

    public TrackerModel(ulong seed, ModelMistake mistake)
    {
        (_chance, _mistake) = (new Prng(seed), mistake);
        int regionShift = (int)_chance.Between(12, 15);
        _shape = new TrackerShape(_chance.Between(20_000, 80_000) * 4096 + _chance.Below(4096), 12, regionShift);
        _landed = HierarchicalBitmap.Create(_shape.DiskBytes, _shape.GranuleBytes);
        _file = new ModelFile(TrackerScene.NewFile(TrackerScene.Header(_shape)));
        _tracker = Recover(_file, isSameBoot: false);
        _store = new TrackerStore(_tracker);
        Attach();
    }

    public ulong CutCount { get; private set; }

    public ulong RealCutCount { get; private set; }

    /// <summary>Fails by a <see cref="ModelException"/>.</summary>
    public void Run(int stepCount)
    {
        for (int i = 0; i < stepCount; i++)
        {
            Act();
            Try();
            if (_chance.Chance(1, 150))
                EndOfLife();
        }
    }

    public void Dispose()
    {
        _landed.Dispose();
        _tracker.Dispose();
    }

    void Act()
    {
        switch (_chance.Below(8))
        {
            case 0:
            case 1:
                Write();
                break;
            case 2:
                PassLooked();
                break;
            case 3:
            case 4:
            case 5:
                StepIntents();
                break;
            default:
                StepFine();
                break;
        }
    }

    void Write()
    {
        // Mostly near one place, so that regions are opened, closed and opened again.
        ulong span = Math.Min(_shape.GranuleCount, _chance.Chance(1, 3) ? ulong.MaxValue : 64);
        Look(_chance.Below(span));
    }

    void Look(ulong granule)
    {
        if (_mistake == ModelMistake.WriteBeforeIntent || _store.IsOpen(ExtentOf(granule)))
            _looked.Add(granule);
        else
            _waiting.Enqueue(granule);
    }

    /// <summary>The bits of writes that have passed, then the writes: from then on they may have landed.</summary>
    void PassLooked()
    {
        foreach (ulong granule in _looked)
        {
            if (_mistake != ModelMistake.BitAfterWrite || _landed.GetBit(granule))
                _tracker.Changed!.SetBits(granule, 1);
            _landed.SetBits(granule, 1);
        }
        _looked.Clear();
    }

    void StepIntents()
    {
        if (_store.Intents.Batch.IsBusy)
        {
            if (!Carry(_store.Intents.Batch, ModelMistake.IntentsNotFlushed, ModelMistake.OneCopyOfIntents))
                EndIntents();
            return;
        }
        _inBatch.Clear();
        foreach (ulong granule in _waiting)
            if (_store.TryOpen(RegionOf(granule)))
                _inBatch.Add(RegionOf(granule));
        if (_inBatch.Count > 0)
            BeginIntents();
    }

    void BeginIntents()
    {
        _store.Intents.Begin();
        if (_mistake != ModelMistake.OpenBeforeSteps)
            return;
        foreach (ulong granule in _waiting)
            _looked.Add(granule);
        _waiting.Clear();
    }

    void EndIntents()
    {
        _store.EndIntents();
        for (int i = _waiting.Count; i > 0; i--)
            Look(_waiting.Dequeue());
    }

    void StepFine()
    {
        FinePages fine = _store.Fine;
        if (fine.Batch.IsBusy)
        {
            bool isEarly = _mistake == ModelMistake.CloseBeforeSteps;
            bool isMore = Carry(fine.Batch, ModelMistake.FineNotFlushed, ModelMistake.OneCopyOfFine);
            if (!isMore || isEarly)
                EndFine();
            return;
        }
        if (_isFlushing)
        {
            Close();
            return;
        }
        if (CountOpen() < OpenMax)
            return;
        fine.Restart();
        foreach (ulong region in OpenRegions())
            _ = fine.TryAddRegion(region);
        fine.Batch.Begin();
        _isFlushing = true;
    }

    void EndFine() => _store.Fine.End();

    void Close()
    {
        if (!_store.Intents.IsIdle)
            return;
        if (_mistake != ModelMistake.CloseInLoudMoment)
            PassLooked();
        _inBatch.Clear();
        foreach (ulong region in OpenRegions())
            if (_chance.Chance(7, 8) && _store.TryClose(region))
                _inBatch.Add(region);
        if (!_store.Intents.IsEmpty)
            BeginIntents();
        _isFlushing = false;
    }

    /// <summary>Carries out one step, or does what the mistake does instead.</summary>
    bool Carry(TrackerBatch batch, ModelMistake noFlush, ModelMistake oneCopy)
    {
        bool isMore = batch.TryNext(out TrackerStep step);
        bool isFine = ReferenceEquals(batch, _store.Fine.Batch);
        if (isMore && _mistake == ModelMistake.StepsReordered && isFine && step.IsFlush)
            (isMore, step) = (batch.TryNext(out TrackerStep next), next);
        if (!isMore)
            return false;
        if (step.IsFlush)
        {
            if (_mistake != noFlush)
                _file.Flush();
            return true;
        }
        bool isSecond = step.OffsetBytes >= Area(isFine ? AreaKind.FineSecond : AreaKind.IntentsSecond).OffsetBytes;
        ulong offsetBytes = step.OffsetBytes;
        if (_mistake == ModelMistake.FinePageMisplaced && isFine && offsetBytes > Area(AreaKind.FineFirst).OffsetBytes)
            offsetBytes -= TrackerShape.PageBytes;
        if (!isSecond || _mistake != oneCopy)
            _file.Write(offsetBytes, batch.BytesOf(step));
        return true;
    }

    /// <summary>What would be found if all ended here.</summary>
    void Try()
    {
        PutLive();
        CutCount += 3;
        using (RecoveredTracker cut = Recover(_file.SeeCut(_chance), isSameBoot: false))
            Judge(cut, "power cut", mayReport: MayReport);
        using (RecoveredTracker torn = Recover(_file.SeeCut(_chance, tearsSectors: true), isSameBoot: false))
            Judge(torn, "power cut that tears sectors", mayReport: _ => true);
        ModelGlimpse rotten = _file.SeeCut(_chance);
        Rot(rotten);
        using (RecoveredTracker rot = Recover(rotten, isSameBoot: false))
            Judge(rot, "power cut and a rotten copy", mayReport: _ => true);
        using RecoveredTracker killed = Recover(_file.SeeKill(), isSameBoot: true);
        Judge(killed, "kill", mayReport: granule => _tracker.Changed!.GetBit(granule));
        if (killed.Rule != RecoveryRule.Exact)
            throw new ModelException("kill: not exact");
    }

    void Judge(RecoveredTracker found, string what, Func<ulong, bool> mayReport)
    {
        if (found.Refusal != TrackerRefusal.None)
            throw new ModelException($"{what}: refused, {found.Refusal}");
        for (ulong bit = 0; (bit = _landed.NextDirtyBit(bit, _shape.GranuleCount)) < _shape.GranuleCount; bit++)
            if (!found.Changed!.GetBit(bit))
                throw new ModelException($"{what}: granule {bit} is missed");
        HierarchicalBitmap changed = found.Changed!;
        for (ulong bit = 0; (bit = changed.NextDirtyBit(bit, _shape.GranuleCount)) < _shape.GranuleCount; bit++)
            if (!_landed.GetBit(bit) && !mayReport(bit))
                throw new ModelException($"{what}: granule {bit} is reported for nothing");
    }

    /// <summary>Its bit is set, or its region is open, being opened or being closed.</summary>
    bool MayReport(ulong granule)
    {
        ulong region = RegionOf(granule);
        return _tracker.Changed!.GetBit(granule) || _tracker.Open!.GetBit(region) || _store.Intents.Batch.IsBusy;
    }

    /// <summary>Turns a bit in one copy of one area.</summary>
    void Rot(ModelGlimpse file)
    {
        AreaKind kind = (AreaKind)_chance.Between((ulong)AreaKind.FineFirst, (ulong)AreaKind.IntentsSecond);
        TrackerArea area = Area(kind);
        for (int i = 0; i < 64; i++) // many: one alone would seldom be where it matters
            file.Turn(area.OffsetBytes + _chance.Below(area.LengthBytes), (int)_chance.Below(8));
    }

    /// <summary>A real one: all goes on with what was found.</summary>
    void EndOfLife()
    {
        PutLive();
        bool isCut = _chance.Chance(1, 2);
        _file = isCut ? _file.Cut(_chance) : _file.Kill();
        _boot += isCut ? 1u : 0u;
        _waiting.Clear();
        _looked.Clear();
        _isFlushing = false;
        _tracker.Dispose();
        _tracker = Recover(_file, isSameBoot: !isCut);
        Judge(_tracker, isCut ? "real power cut" : "real kill", _ => true);
        _store = new TrackerStore(_tracker);
        RealCutCount++;
        Attach();
    }

    void Attach()
    {
        if (_mistake == ModelMistake.SequenceReused)
            _store = new TrackerStore(Forgetful(_tracker));
        if (_mistake != ModelMistake.AttachWithoutHealing)
        {
            _store.Intents.BeginWhole();
            CarryAll(_store.Intents.Whole);
        }
        _store.Fine.Restart();
        foreach ((ulong page, bool isSecondBad) in _tracker.BadPages)
            Check.That(_store.Fine.TryAddPage(page, isSecondBad));
        _store.Fine.Batch.Begin();
        CarryAll(_store.Fine.Batch, isEnded: false);
        _store.Fine.End();
        PutLive();
        _store.BeginHeader(
            _store.Header with
            {
                State = TrackerState.Open,
                BootId = _boot,
            },
            _tracker.IsSecondHeaderBad
        );
        CarryAll(_store.HeaderBatch);
    }

    void CarryAll(TrackerBatch batch, bool isEnded = true)
    {
        while (batch.TryNext(out TrackerStep step))
            if (step.IsFlush)
                _file.Flush();
            else
                _file.Write(step.OffsetBytes, batch.BytesOf(step));
        if (isEnded)
            batch.End();
    }

    RecoveredTracker Recover(ITrackerReader file, bool isSameBoot)
    {
        bool believesBoot = isSameBoot || _mistake == ModelMistake.StaleBootBelieved;
        TrackerHeader header = TrackerScene.Header(_shape);
        TrackerWorld world = new(
            header.DiskId,
            _shape.DiskBytes,
            header.Stamp,
            believesBoot ? _boot : _boot + 1000,
            header.Home,
            IsFileSettled: true
        );
        return TrackerRecovery.Recover(file, world);
    }

    /// <summary>The live map as the kernel may have it in its cache, and write it whenever it likes.</summary>
    void PutLive()
    {
        byte[] live = new byte[_shape.LiveBytes];
        Check.That(_tracker.Changed!.SerializePart(0, _shape.DiskBytes, live).IsNone);
        _file.Write(Area(AreaKind.Live).OffsetBytes, live);
    }

    static RecoveredTracker Forgetful(RecoveredTracker tracker) =>
        new()
        {
            Refusal = TrackerRefusal.None,
            Header = tracker.Header,
            Changed = tracker.Changed,
            Open = tracker.Open,
            BadPages = tracker.BadPages,
        };

    List<ulong> OpenRegions()
    {
        List<ulong> regions = [];
        HierarchicalBitmap open = _tracker.Open!;
        for (ulong bit = 0; (bit = open.NextDirtyBit(bit, _shape.RegionCount)) < _shape.RegionCount; bit++)
            regions.Add(bit);
        return regions;
    }

    ulong CountOpen() => _tracker.Open!.CountBits();

    TrackerArea Area(AreaKind kind) => _store.Header.Find(kind, kind < AreaKind.IntentsFirst ? TrackerScene.MapId : 0);

    ulong RegionOf(ulong granule) => granule * _shape.GranuleBytes / _shape.RegionBytes;

    Extent ExtentOf(ulong granule)
    {
        ulong offsetBytes = granule * _shape.GranuleBytes;
        return new Extent(offsetBytes, Math.Min(_shape.GranuleBytes, _shape.DiskBytes - offsetBytes));
    }
}

/// <summary>The model has found a mistake.</summary>
sealed class ModelException(string message) : Exception(message);
