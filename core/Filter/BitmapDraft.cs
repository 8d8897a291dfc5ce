// What a bitmap will be in a coming moment: everything that some bitmaps name then, its own former bits among them or
// not. Made while guests write, so that the moment itself only puts it in the bitmap's place:
//
//   Attach   in a quiesced moment: from here on it records what any of its sources does
//   Fold     in parts, with the gates open: takes over what the sources have had before
//   Detach   in a later moment: it is complete, and the caller puts it where it belongs
//
// At any time after the last part it has every bit that a source has: what was set before Attach was folded in, what
// was set since was set here, too, at this draft's granularity, which may be finer than a source's. No change of the
// disks may come between Attach and Detach (IQuietWork).
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
public sealed class BitmapDraft
{
    const uint StepsMax = 1024; // in one part: dirty lines or runs, 0.1 to 0.3 ms

    readonly HierarchicalBitmap _bits;
    readonly DirtyBitmap? _target;
    readonly List<HierarchicalBitmap> _sources = [];
    readonly List<Disk> _disks = [];
    int _next;
    ulong _fromBytes;
    bool _isAttached;

    /// <param name="bits">Clean, not smaller than any source, of any granularity; the caller's.</param>
    public BitmapDraft(HierarchicalBitmap bits) => _bits = bits;

    BitmapDraft(DirtyBitmap target)
        : this(target.BeginDraft()) => _target = target;

    /// <summary>A draft in the spare bits of the bitmap whose place it will take; they should be clean.</summary>
    /// <param name="target">Not busy; until the end nothing else may be done with it but record.</param>
    public static BitmapDraft For(DirtyBitmap target) => new(target);

    /// <summary>Before Attach.</summary>
    /// <param name="source">A bitmap of a disk, not busy.</param>
    /// <param name="disk">Whose writes it records, if it does.</param>
    public void AddSource(DirtyBitmap source, Disk disk)
    {
        Check.That(!_isAttached);
        Check.That(!source.IsBusy);
        _sources.Add(source.Bits);
        if (source.IsEnabled && !_disks.Contains(disk))
            _disks.Add(disk);
    }

    /// <summary>Before Attach.</summary>
    /// <param name="source">Bits that nobody sets any more.</param>
    public void AddSource(HierarchicalBitmap source)
    {
        Check.That(!_isAttached);
        _sources.Add(source);
    }

    /// <summary>All disks must be quiesced.</summary>
    public void Attach()
    {
        Check.That(!_isAttached);
        _isAttached = true;
        foreach (Disk disk in _disks)
            disk.AddDraft(_bits);
    }

    /// <summary>Takes over a part of what the sources had before.</summary>
    /// <returns>True when that was the last.</returns>
    public bool Fold()
    {
        Check.That(_isAttached);
        if (_next == _sources.Count)
            return true;
        HierarchicalBitmap source = _sources[_next];
        _fromBytes = _bits.MergeLivePart(source, _fromBytes, StepsMax);
        if (_fromBytes < source.SizeBytes)
            return false;
        _fromBytes = 0;
        return ++_next == _sources.Count;
    }

    /// <summary>It records no more; what it has is the caller's. All disks must be quiesced.</summary>
    public void Detach()
    {
        Check.That(_isAttached);
        _isAttached = false;
        foreach (Disk disk in _disks)
            disk.RemoveDraft(_bits);
    }

    /// <summary>It is the bitmap now. All disks must be quiesced, and list anew what records.</summary>
    public void Take()
    {
        Detach();
        _target!.TakeDraft();
    }

    /// <summary>It will not be. All disks must be quiesced.</summary>
    public void Drop()
    {
        Detach();
        _target!.DropDraft();
    }
}
