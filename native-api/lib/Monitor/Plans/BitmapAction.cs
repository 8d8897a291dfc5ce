// An action on one bitmap that is there and that no job uses.
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Plans;

abstract class BitmapAction(string node, string name) : PlanAction
{
    protected string Name => name;

    DiskObject? _disk;

    protected DiskObject Disk => _disk!;

    protected BitmapObject Bitmap => Found.Bitmap;

    /// <summary>As the actions before leave it.</summary>
    protected PlannedBitmap Found { get; private set; }

    public override QmpError? Check(PlanContext plan, PlanState state)
    {
        if (RefuseGrouped(plan) is { } refusal)
            return refusal;
        if (Resolve(plan, node, ref _disk) is { } error)
            return error;
        if (state.Find(Disk, name) is not { } found)
            return QmpError.Generic($"Dirty bitmap '{name}' not found");
        if (found.IsBusy)
            return Busy(name);
        Found = found;
        return null;
    }

    /// <summary>Null, or that it is persistent.</summary>
    protected QmpError? RefusePersistent() =>
        Bitmap.IsPersistent ? QmpError.Generic(PersistentBitmaps.Rule(name)) : null;

    public static QmpError Busy(string name) =>
        QmpError.Generic($"Bitmap '{name}' is currently in use by another operation and cannot be used");
}
