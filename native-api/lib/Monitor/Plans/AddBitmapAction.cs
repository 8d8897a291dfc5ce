// block-dirty-bitmap-add. The bitmap's memory is taken with the first check, so that nothing can fail later.
using System.Text;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Disks;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Monitor.Plans;

sealed class AddBitmapAction(string node, string name, uint? granularity, bool isPersistent, bool isDisabled)
    : PlanAction
{
    const uint GranularityMin = 512;
    const uint GranularityDefault = 65536;
    const int NameBytesMax = 1023;

    DiskObject? _disk;
    BitmapObject? _bitmap;

    public override string Type => "block-dirty-bitmap-add";

    public override QmpError? Check(Plan plan, PlanState state)
    {
        if (RefuseGrouped(plan) is { } refusal)
            return refusal;
        if (Resolve(plan, node, ref _disk) is { } error)
            return error;
        if (name.Length == 0)
            return QmpError.Generic("Bitmap name cannot be empty");
        if (granularity is { } given && (given < GranularityMin || !Units.IsPowerOfTwo(given)))
            return QmpError.Generic("Granularity must be power of 2 and at least 512");
        if (isPersistent)
            return QmpError.Generic($"Can't store persistent bitmaps to {node}: Operation not supported");
        if (state.IsTaken(_disk!, name))
            return QmpError.Generic($"Bitmap already exists: {name}");
        if (Encoding.UTF8.GetByteCount(name) > NameBytesMax)
            return QmpError.Generic($"Bitmap name too long: {name}");
        if (!state.TryAddBitmap(_disk!))
            return QmpError.Generic($"Disk '{node}' has {PlanState.BitmapsMax} bitmaps, which is the most");
        if (_bitmap == null)
        {
            ulong bytes = granularity ?? GranularityDefault;
            Fault fault = DirtyBitmap.TryCreate(name, _disk!.Core.CapacityBytes, bytes, out DirtyBitmap? dirty);
            if (fault.IsFault)
                return QmpError.Generic($"cannot make bitmap '{name}': {fault}");
            _bitmap = new BitmapObject(_disk.Engine!, _disk, dirty!) { IsOfMonitor = true };
        }
        state.Set(_disk!, name, new PlannedBitmap(_bitmap, IsBusy: false, IsToCome: true));
        return null;
    }

    public override void Apply(Plan plan)
    {
        _bitmap!.Dirty!.SetEnabled(!isDisabled);
        _disk!.Core.Add(_bitmap.Dirty);
        _disk.Bitmaps.Add(_bitmap);
        _ = HandleTable.Open(_bitmap);
    }

    public override void Abandon(Plan plan) => _bitmap?.Dirty!.Dispose();
}
