// block-dirty-bitmap-remove. A bitmap that a host made stays open as one of its own.
namespace FastBackup.Native.Monitor.Plans;

sealed class RemoveBitmapAction(string node, string name) : BitmapAction(node, name)
{
    public override string Type => "block-dirty-bitmap-remove";

    public override QmpError? Check(Plan plan, PlanState state)
    {
        QmpError? error = base.Check(plan, state);
        if (error == null)
            state.Set(Disk, Name, null);
        return error;
    }

    public override void Apply(Plan plan)
    {
        Disk.Core.Remove(Bitmap.Dirty!);
        _ = Disk.Bitmaps.Remove(Bitmap);
        Bitmap.Detach();
        Bitmap.CloseUnlessOfHost();
    }
}
