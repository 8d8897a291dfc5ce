// A bitmap of a disk gains what others name, of this or other disks, rounded outwards: all of it or nothing. It is made
// as a draft while guests write, and takes the bitmap's place in a moment of all disks concerned.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
/// <param name="disk">Whose bitmap gains.</param>
/// <param name="target">The bitmap that gains.</param>
/// <param name="onDone">Told of the end: None, or State when one of them was busy, gone or of another size by then.
/// </param>
public sealed class BitmapMerge(Disk disk, DirtyBitmap target, Action<Fault> onDone) : IQuietWork
{
    readonly List<(DirtyBitmap Bitmap, Disk Disk)> _sources = [];
    readonly List<HierarchicalBitmap> _ownSources = [];
    BitmapDraft? _draft;

    /// <summary>Before Begin. May be the target itself.</summary>
    public void AddSource(DirtyBitmap source, Disk sourceDisk) => _sources.Add((source, sourceDisk));

    /// <summary>Before Begin: bits of no disk, that nobody sets any more.</summary>
    public void AddSource(HierarchicalBitmap source) => _ownSources.Add(source);

    public void Begin(IIoLoop loop)
    {
        List<Disk> disks = [disk];
        foreach ((_, Disk source) in _sources)
            if (!disks.Contains(source))
                disks.Add(source);
        new QuiescedChange(loop, [.. disks], this).Begin();
    }

    bool IQuietWork.Prepare()
    {
        if (_draft != null)
            return _draft.Fold();
        return !IsRight() || target.TidySpare();
    }

    bool IQuietWork.Change()
    {
        if (_draft != null)
        {
            _draft.Take();
            disk.RefreshRecording();
            onDone(Fault.None);
            return true;
        }
        if (!IsRight())
        {
            onDone(new Fault(FaultKind.State));
            return true;
        }
        _draft = BitmapDraft.For(target);
        _draft.AddSource(target, disk);
        foreach ((DirtyBitmap source, Disk sourceDisk) in _sources)
            _draft.AddSource(source, sourceDisk);
        foreach (HierarchicalBitmap source in _ownSources)
            _draft.AddSource(source);
        _draft.Attach();
        return false;
    }

    /// <summary>Looked at when its turn has come: nothing of it changes until it was done.</summary>
    bool IsRight()
    {
        bool isRight = IsIdle(target, disk);
        foreach ((DirtyBitmap source, Disk sourceDisk) in _sources)
            isRight &= IsIdle(source, sourceDisk) && source.SizeBytes == target.SizeBytes;
        foreach (HierarchicalBitmap source in _ownSources)
            isRight &= source.SizeBytes == target.SizeBytes;
        return isRight;
    }

    static bool IsIdle(DirtyBitmap bitmap, Disk owner) =>
        !bitmap.IsBusy && ReferenceEquals(owner.FindBitmap(bitmap.Name), bitmap);
}
