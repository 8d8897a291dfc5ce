// block-dirty-bitmap-clear.
using FastBackup.Native.Monitor.Commands;

namespace FastBackup.Native.Monitor.Plans;

sealed class ClearBitmapAction(string node, string name) : BitmapAction(node, name)
{
    public override string Type => "block-dirty-bitmap-clear";

    public override QmpError? Check(PlanContext plan, PlanState state)
    {
        QmpError? error = base.Check(plan, state) ?? RefusePersistent();
        if (error == null)
            state.Contents.Clear(Bitmap);
        return error;
    }

    /// <summary>The plan does it, with all that changes contents.</summary>
    public override void Apply(PlanContext plan) { }
}
