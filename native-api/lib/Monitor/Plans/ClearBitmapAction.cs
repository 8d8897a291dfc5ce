// block-dirty-bitmap-clear.
namespace FastBackup.Native.Monitor.Plans;

sealed class ClearBitmapAction(string node, string name) : BitmapAction(node, name)
{
    public override string Type => "block-dirty-bitmap-clear";

    public override void Apply(Plan plan) => Bitmap.Dirty!.Clear();
}
