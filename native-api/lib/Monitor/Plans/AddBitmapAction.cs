// block-dirty-bitmap-add. The bitmap's memory is taken before the first check, so that nothing can fail later.
using System.Text;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Plans;

sealed class AddBitmapAction(string node, string name, uint? granularity, bool isPersistent, bool isDisabled)
    : PlanAction
{
    DiskObject? _disk;
    DirtyBitmap? _dirty;
    BitmapObject? _bitmap;
    Fault _fault;

    public override string Type => "block-dirty-bitmap-add";

    public override void Find(PlanContext plan) => _ = Resolve(plan, node, ref _disk);

    public override void TakeMemory()
    {
        if (_disk == null)
            return;
        ulong bytes = granularity ?? DirtyBitmap.GranularityBytesDefault;
        _fault = DirtyBitmap.TryCreate(name, _disk.Core.CapacityBytes, bytes, out _dirty);
    }

    public override QmpError? Check(PlanContext plan, PlanState state)
    {
        if (RefuseGrouped(plan) is { } refusal)
            return refusal;
        if (Resolve(plan, node, ref _disk) is { } error)
            return error;
        if (name.Length == 0)
            return QmpError.Generic("Bitmap name cannot be empty");
        if (granularity is { } given && (given < DirtyBitmap.GranularityBytesMin || !Units.IsPowerOfTwo(given)))
            return QmpError.Generic("Granularity must be power of 2 and at least 512");
        if (isPersistent)
            return QmpError.Generic($"Can't store persistent bitmaps to {node}: Operation not supported");
        if (state.IsTaken(_disk!, name))
            return QmpError.Generic($"Bitmap already exists: {name}");
        if (Encoding.UTF8.GetByteCount(name) > DirtyBitmap.NameBytesMax)
            return QmpError.Generic($"Bitmap name too long: {name}");
        if (!state.TryAddBitmap(_disk!))
            return QmpError.Generic($"Disk '{node}' has {PlanState.BitmapsMax} bitmaps, which is the most");
        if (_fault.IsFault)
            return QmpError.Generic($"cannot make bitmap '{name}': {_fault}");
        if (_dirty == null || _dirty.SizeBytes != _disk!.Core.CapacityBytes)
            return QmpError.Generic($"Disk '{node}' has changed its size meanwhile");
        _bitmap ??= new BitmapObject(_disk.Engine!, _disk.Id, _dirty) { IsOfMonitor = true };
        state.Set(_disk, name, new PlannedBitmap(_bitmap, IsBusy: false, IsToCome: true));
        return null;
    }

    /// <summary>A call of the host may have asked for the name since; one that is there goes before.</summary>
    public override QmpError? WhatIsWrongNow() =>
        _disk!.Bitmaps.Find(name) is { } other && !ReferenceEquals(_disk.Core.FindBitmap(name), other.Dirty)
            ? QmpError.Generic($"Bitmap already exists: {name}")
            : null;

    public override void Apply(PlanContext plan)
    {
        _bitmap!.Dirty!.SetEnabled(!isDisabled);
        _disk!.Core.Add(_bitmap.Dirty);
        _disk.Bitmaps.Add(name, _bitmap);
    }

    public override bool Release(bool wasDone, bool isLeft)
    {
        if (!wasDone)
            _dirty?.Dispose();
        return false;
    }
}
