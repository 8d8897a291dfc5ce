// block-dirty-bitmap-add. The bitmap's memory is taken before the first check, so that nothing can fail later. One that
// is since a checkpoint records from the plan's moment on, and gains behind it what the tracker's maps have: busy until
// then, and only then the command is answered. One of an unfinished copy gains what is left of that, too, and is since
// the checkpoint that its record names. A persistent one is a point of the disk's tracker beside it, made in the
// same moment, and the command is answered when that is durable. Of an image that keeps its bitmaps it is one of those.
using System;
using System.Text;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Monitor.Plans;

sealed class AddBitmapAction(
    string node,
    string name,
    uint? granularity,
    bool isPersistent,
    bool isDisabled,
    string? since,
    string? unfinished,
    string? target
) : PlanAction
{
    DiskObject? _disk;
    DirtyBitmap? _dirty;
    BitmapObject? _bitmap;
    Fault _fault;
    DiskPoints? _points; // in hand
    PlannedPoint? _point; // of a persistent one, which has them then
    ulong _granuleBytes;
    string _since = since ?? "";
    HierarchicalBitmap? _left; // of an unfinished copy
    DeviceObject? _unfinished; // its target

    public override string Type => "block-dirty-bitmap-add";

    public override bool IsPatient => since != null || unfinished != null || isPersistent;

    public override DiskObject? Subject => _disk;

    public override QmpError? Prepare(PlanContext plan)
    {
        if (isPersistent)
            return PreparePoint(plan);
        if (TakePoints(plan, node, ref _disk, out _points) is { } error)
            return error;
        if (unfinished != null)
            return PrepareLeft(plan, unfinished);
        return _points!.Has(since!) ? null : QmpError.Generic($"Disk '{node}' has no checkpoint '{since}' (epoch)");
    }

    QmpError? PrepareLeft(PlanContext plan, string record)
    {
        if (since != null || target == null)
            return QmpError.Generic("x-unfinished needs x-target, and names its checkpoint itself: not with x-since");
        if (OpenAgain(plan, target, _disk!, out _unfinished, out int fd) is { } error)
            return error;
        FileDevice disk = (FileDevice)_disk!.Core.Device; // it has a tracker
        OpenRefusal refusal = UnfinishedCopy.TryRead(record, disk, fd, _points!, out _since, out _left);
        NameCalls.Close(fd);
        return refusal.IsNone ? null : QmpError.Of(refusal);
    }

    /// <summary>A disk without a tracker has none: the check says so, in its turn.</summary>
    QmpError? PreparePoint(PlanContext plan)
    {
        if (PlanPoints(plan, node, ref _disk, out PlannedPoints? points) is { } error)
            return _disk is { Tracker: null } ? null : error;
        _point = new PlannedPoint(points!, "bitmap", name);
        _granuleBytes = points!.GranuleBytes;
        if (name.Length == 0)
            return QmpError.Generic("Bitmap name cannot be empty");
        if (isDisabled || since != null || unfinished != null)
            return QmpError.Generic(
                "A persistent bitmap records from the moment in which it is added: it cannot be disabled, nor be since "
                    + "a checkpoint"
            );
        if (granularity is { } given && given != _granuleBytes)
            return QmpError.Generic($"A persistent bitmap has the granularity of its tracker, {_granuleBytes}");
        points.Include(name, isBitmap: true);
        return null;
    }

    public override void Find(PlanContext plan) => _ = Resolve(plan, node, ref _disk);

    /// <summary>An image that is to keep it can.</summary>
    bool Fits(DiskObject disk) =>
        !isPersistent
        || disk.Image is not { } image
        || image.Fits(disk.Core.CapacityBytes, granularity ?? DirtyBitmap.GranularityBytesDefault);

    public override void TakeMemory()
    {
        if (_disk == null || !Fits(_disk))
            return;
        ulong bytes = _point != null ? _granuleBytes : granularity ?? DirtyBitmap.GranularityBytesDefault;
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
        if ((since ?? unfinished) != null && isDisabled)
            return QmpError.Generic("A bitmap that is since a checkpoint cannot be disabled");
        bool isInImage = isPersistent && _point == null && _disk!.Image != null;
        if (isInImage && (since ?? unfinished) != null)
            return QmpError.Generic("A bitmap that an image keeps cannot be since a checkpoint");
        if (!Fits(_disk!))
            return QmpError.Generic("Too much space will be occupied by the bitmap. Use larger granularity");
        if (isPersistent && _point == null && !isInImage)
            return QmpError.Generic($"Can't store persistent bitmaps to {node}: Operation not supported");
        if (state.IsTaken(_disk!, name) || _disk!.Image?.IsTaken(name) == true)
            return QmpError.Generic($"Bitmap already exists: {name}");
        if (Encoding.UTF8.GetByteCount(name) > DirtyBitmap.NameBytesMax)
            return QmpError.Generic($"Bitmap name too long: {name}");
        if (!state.TryAddBitmap(_disk!))
            return QmpError.Generic($"Disk '{node}' has {PlanState.BitmapsMax} bitmaps, which is the most");
        if (_fault.IsFault)
            return QmpError.Generic($"cannot make bitmap '{name}': {_fault}");
        if (_dirty == null || _dirty.SizeBytes != _disk!.Core.CapacityBytes)
            return QmpError.Generic($"Disk '{node}' has changed its size meanwhile");
        _bitmap ??= new BitmapObject(_disk.Engine!, _disk.Id, _dirty)
        {
            IsOfMonitor = true,
            IsPersistent = isPersistent && !isInImage,
            IsInImage = isInImage,
        };
        state.Set(_disk, name, new PlannedBitmap(_bitmap, IsBusy: _points != null, IsToCome: true));
        return null;
    }

    /// <summary>A call of the host may have asked for the name since; one that is there goes before.</summary>
    public override QmpError? WhatIsWrongNow() =>
        _disk!.Bitmaps.Find(name) is { } other && !ReferenceEquals(_disk.Core.FindBitmap(name), other.Dirty)
            ? QmpError.Generic($"Bitmap already exists: {name}")
            : _point?.WhatIsWrongNow();

    public override void Apply(PlanContext plan)
    {
        _point?.Apply();
        _bitmap!.Dirty!.SetEnabled(!isDisabled);
        _disk!.Core.Add(_bitmap.Dirty);
        _disk.Bitmaps.Add(name, _bitmap);
        if (_unfinished != null)
            _bitmap.SetCompleting(_unfinished);
        if (_points != null)
            _bitmap.Dirty.BeginFill();
    }

    public override bool BeginSettling(PlanContext plan, Action onSettled)
    {
        if (_point != null)
            return _point.BeginSettling(onSettled);
        if (_points == null)
            return false;
        void OnDone()
        {
            _points = null;
            onSettled();
        }
        HierarchicalBitmap? left = _left;
        _left = null;
        bool isLater = SinceFill.Begin(_disk!, _points, _since, left, _dirty!, plan.Patience, OnDone);
        if (!isLater)
            _points = null;
        return isLater;
    }

    public override QmpError? SettleError => _point?.Error;

    public override void Abandon(PlanContext plan)
    {
        _point?.Abandon();
        _left?.Dispose();
        _left = null;
        if (_points != null)
            PointsInHand.GiveBack(_disk!, _points);
        _points = null;
    }

    public override bool Release(bool wasDone, bool isLeft)
    {
        if (!wasDone)
            _dirty?.Dispose();
        return false;
    }
}
