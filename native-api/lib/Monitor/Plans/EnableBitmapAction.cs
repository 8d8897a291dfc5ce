// block-dirty-bitmap-enable, block-dirty-bitmap-disable.
using FastBackup.Native.Monitor.Commands;

namespace FastBackup.Native.Monitor.Plans;

sealed class EnableBitmapAction(string node, string name, bool isEnabled) : BitmapAction(node, name)
{
    public override string Type => isEnabled ? "block-dirty-bitmap-enable" : "block-dirty-bitmap-disable";

    public override QmpError? Check(PlanContext plan, PlanState state) =>
        base.Check(plan, state) ?? (isEnabled ? null : RefusePersistent());

    public override void Apply(PlanContext plan)
    {
        Bitmap.Dirty!.SetEnabled(isEnabled);
        Disk.Core.RefreshRecording();
    }
}
