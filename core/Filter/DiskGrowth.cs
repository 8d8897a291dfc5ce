// A disk becomes larger. Its bitmaps get larger bits, which are made as drafts while guests write; in one moment they
// take the place of the old ones and the disk has its new size. What is new is clean: nobody has written there.
// Jobs and snapshots have maps of the old size, so there may be none. A watcher that grows with the disk is told in the
// moment, before any write may come to what is new. Does not shrink, and makes no device larger.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's, but for TakeMemory.</summary>
/// <param name="disk">The disk that grows.</param>
/// <param name="sizeBytes">Not below its size; what is behind its device has so many bytes already.</param>
/// <param name="hasJobs">Whether jobs of the disk are there, begun or not.</param>
/// <param name="onDone">Told of the end: None, State (jobs, a busy bitmap, it is larger by now), Range, NoMemory, or
/// Unsupported by the device.</param>
/// <param name="growingCount">Watchers that grow with the disk.</param>
/// <param name="onGrown">Tells them, in the moment; null: there are none.</param>
public sealed class DiskGrowth(
    Disk disk,
    ulong sizeBytes,
    Func<bool> hasJobs,
    Action<Fault> onDone,
    uint growingCount = 0,
    Action? onGrown = null
) : IQuietWork
{
    const int PairsMax = 8; // made in one part, should bitmaps have been added since TakeMemory

    readonly record struct Pair(HierarchicalBitmap Bits, HierarchicalBitmap Spare);

    readonly Dictionary<DirtyBitmap, Pair> _pairs = [];
    readonly List<BitmapDraft> _drafts = [];
    Fault _fault;
    bool _mayGrow; // the drafts are made
    bool _isAttached;
    int _nextFold;

    /// <summary>Takes the larger bits before it begins, so that the reactor need not. Threads: any.</summary>
    /// <param name="bitmaps">Those of the disk, as far as known.</param>
    /// <returns>None, Range (too many granules) or NoMemory.</returns>
    public Fault TakeMemory(IEnumerable<DirtyBitmap> bitmaps)
    {
        foreach (DirtyBitmap bitmap in bitmaps)
        {
            Fault fault = TryAddPair(bitmap);
            if (fault.IsFault)
                return fault;
        }
        return Fault.None;
    }

    public void Begin(IIoLoop loop) => new QuiescedChange(loop, [disk], this).Begin();

    Fault TryAddPair(DirtyBitmap bitmap)
    {
        Fault fault = HierarchicalBitmap.TryCreate(
            sizeBytes,
            bitmap.GranularityBytes,
            new BitmapOptions(IsWarm: true),
            out HierarchicalBitmap? bits
        );
        if (fault.IsFault)
            return fault;
        fault = HierarchicalBitmap.TryCreate(
            sizeBytes,
            bitmap.GranularityBytes,
            new BitmapOptions(IsWarm: true),
            out HierarchicalBitmap? spare
        );
        if (fault.IsNone)
            _pairs.Add(bitmap, new Pair(bits!, spare!));
        else
            bits!.Dispose();
        return fault;
    }

    bool IQuietWork.Prepare()
    {
        if (_isAttached)
            return Fold();
        int madeCount = 0;
        foreach (DirtyBitmap bitmap in disk.Bitmaps)
        {
            if (_fault.IsFault || _pairs.ContainsKey(bitmap))
                continue;
            if (madeCount++ == PairsMax)
                return false;
            _fault = TryAddPair(bitmap);
        }
        _mayGrow = _fault.IsNone && IsRight();
        if (_mayGrow)
            MakeDrafts();
        return true;
    }

    void MakeDrafts()
    {
        _drafts.Clear();
        foreach (DirtyBitmap bitmap in disk.Bitmaps)
        {
            BitmapDraft draft = new(_pairs[bitmap].Bits);
            draft.AddSource(bitmap, disk);
            _drafts.Add(draft);
        }
    }

    bool Fold()
    {
        if (_nextFold == _drafts.Count)
            return true;
        if (_drafts[_nextFold].Fold())
            _nextFold++;
        return _nextFold == _drafts.Count;
    }

    bool IQuietWork.Change()
    {
        bool mayGrow = _mayGrow && IsRight(); // a job that was in the way then may be gone now: too late
        if (mayGrow && !_isAttached)
        {
            _isAttached = true;
            foreach (BitmapDraft draft in _drafts)
                draft.Attach();
            return false;
        }
        if (_isAttached)
            foreach (BitmapDraft draft in _drafts)
                draft.Detach();
        if (mayGrow)
            onDone(Grow());
        else
            onDone(_fault.IsFault ? _fault : new Fault(FaultKind.State));
        return true;
    }

    Fault Grow()
    {
        if (sizeBytes > disk.Device.Limits.CapacityBytes)
        {
            Fault fault = disk.Device.Grow(sizeBytes); // not before: jobs are made by the device's size
            if (fault.IsFault)
                return fault;
        }
        foreach (DirtyBitmap bitmap in disk.Bitmaps)
            bitmap.Replace(_pairs[bitmap].Bits, _pairs[bitmap].Spare);
        onGrown?.Invoke();
        disk.SetCapacity(sizeBytes);
        return Fault.None;
    }

    /// <summary>A job may be made at any time; its maps would be of the old size.</summary>
    bool IsRight()
    {
        bool isRight = sizeBytes >= disk.CapacityBytes && disk.WatcherCount == growingCount && !hasJobs();
        foreach (DirtyBitmap bitmap in disk.Bitmaps)
            isRight &= !bitmap.IsBusy;
        return isRight;
    }
}
