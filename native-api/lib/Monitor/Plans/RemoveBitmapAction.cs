// block-dirty-bitmap-remove. A bitmap that a host made stays open as one of its own.
using FastBackup.Native.Handles;
using FastBackup.Native.Monitor.Commands;

namespace FastBackup.Native.Monitor.Plans;

sealed class RemoveBitmapAction(string node, string name) : BitmapAction(node, name)
{
    bool _isClosed;

    public override string Type => "block-dirty-bitmap-remove";

    public override QmpError? Check(PlanContext plan, PlanState state)
    {
        QmpError? error = base.Check(plan, state);
        if (error == null)
            state.Set(Disk, Name, null);
        return error;
    }

    public override void Apply(PlanContext plan)
    {
        Disk.Core.Remove(Bitmap.Dirty!);
        Disk.Bitmaps.Remove(Name);
        Bitmap.Detach();
        _isClosed = Bitmap.TryCloseUnlessOfHost();
    }

    /// <summary>Memory goes on the monitor's thread: guests wait for none of it.</summary>
    public override bool Release(bool wasDone, bool isLeft)
    {
        if (!_isClosed)
            return false;
        if (Bitmap.IsShared || !isLeft)
            return Retirement.Weigh(Bitmap.Bits.BitCount);
        Bitmap.Dirty!.Dispose();
        return false;
    }
}
