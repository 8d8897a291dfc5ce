// What bitmaps will contain once a plan was carried out: each is the union of what some contain when its moment comes,
// whatever the order of clears and merges in between. So each changed bitmap is made once, as a draft and while guests
// write, and the moment only puts the drafts into force.
//
//   clear b, merge b <- c, clear c      b: {c}    c: {}
//   merge b <- c, merge d <- b          b: {b c}  d: {d b c}
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Native.Handles;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's.</summary>
sealed class PlanContents
{
    /// <summary>In all sets together.</summary>
    public const int SourcesMax = 65_536;

    const int PartsMax = 4; // of drafts, in one turn
    const int TidyMax = 128; // spares in one turn, each clean or small: a quarter of a millisecond
    const ulong TidyBitsMax = 1 << 22; // of them all

    static readonly HashSet<BitmapObject> s_nothing = []; // of thousands that are cleared; never added to

    readonly Dictionary<BitmapObject, HashSet<BitmapObject>> _contents = [];
    readonly List<BitmapObject> _cleared = [];
    readonly List<(BitmapObject Target, BitmapDraft Draft)> _drafts = [];
    List<BitmapObject>? _toTidy;
    int _next;
    int _sourceCount;

    public bool HasDrafts => _drafts.Count > 0;

    /// <summary>Drafts record what guests write: the end must be in a moment.</summary>
    public bool IsAttached { get; private set; }

    public void Clear(BitmapObject bitmap) => _contents[bitmap] = s_nothing;

    /// <returns>False: more than SourcesMax in all.</returns>
    public bool TryMerge(PlannedBitmap target, List<PlannedBitmap> sources)
    {
        HashSet<BitmapObject> contents = [.. Of(target)];
        foreach (PlannedBitmap source in sources)
            contents.UnionWith(Of(source));
        _contents[target.Bitmap] = contents;
        _sourceCount += contents.Count;
        return _sourceCount <= SourcesMax;
    }

    HashSet<BitmapObject> Of(PlannedBitmap bitmap) =>
        _contents.TryGetValue(bitmap.Bitmap, out HashSet<BitmapObject>? contents) ? contents
        : bitmap.IsToCome ? s_nothing
        : [bitmap.Bitmap];

    /// <summary>Cleans spare bits for what changes, then makes the drafts.</summary>
    /// <returns>True when all is done; false after 0.1 ms at most, but for the last part.</returns>
    public bool MakeReady()
    {
        _toTidy ??= [.. _contents.Keys];
        ulong bitCount = 0;
        for (int count = 0; _next < _toTidy.Count; count++)
        {
            DirtyBitmap bitmap = _toTidy[_next].Dirty!;
            if (count == TidyMax || bitCount > TidyBitsMax || !bitmap.TidySpare())
                return false;
            bitCount += bitmap.Bits.BitCount;
            _next++;
        }
        _next = 0;
        foreach ((BitmapObject target, HashSet<BitmapObject> contents) in _contents)
            if (contents.Count == 0)
                _cleared.Add(target);
            else if (contents.Count > 1 || !contents.Contains(target))
                _drafts.Add((target, DraftOf(target, contents)));
        return true;
    }

    static BitmapDraft DraftOf(BitmapObject target, HashSet<BitmapObject> contents)
    {
        BitmapDraft draft = BitmapDraft.For(target.Dirty!);
        foreach (BitmapObject source in contents)
            draft.AddSource(source.Dirty!, CoreOf(source));
        return draft;
    }

    /// <summary>A disk of a plan stays open.</summary>
    static Disk CoreOf(BitmapObject bitmap) => HandleTable.Find<DiskObject>(bitmap.DiskId)!.Core;

    /// <summary>All disks are quiet.</summary>
    public void Attach()
    {
        Check.That(!IsAttached);
        IsAttached = true;
        foreach ((_, BitmapDraft draft) in _drafts)
            draft.Attach();
    }

    /// <summary>Takes over a part of what was there before.</summary>
    /// <returns>True when that was the last.</returns>
    public bool Fold()
    {
        for (int part = 0; _next < _drafts.Count && part < PartsMax; part++)
            if (_drafts[_next].Draft.Fold())
                _next++;
        return _next == _drafts.Count;
    }

    /// <summary>All disks are quiet, and nothing else of the plan was carried out.</summary>
    public void Take()
    {
        foreach ((BitmapObject target, BitmapDraft draft) in _drafts)
        {
            draft.Take();
            CoreOf(target).RefreshRecording();
        }
        foreach (BitmapObject target in _cleared)
            if (ReferenceEquals(CoreOf(target).FindBitmap(target.Dirty!.Name), target.Dirty)) // else it is new
                CoreOf(target).Clear(target.Dirty);
    }

    /// <summary>All disks are quiet, and the plan is not carried out after all.</summary>
    public void Drop()
    {
        foreach ((_, BitmapDraft draft) in _drafts)
            draft.Drop();
    }
}
