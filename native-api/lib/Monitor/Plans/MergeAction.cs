// block-dirty-bitmap-merge: sources may be of other disks of the same size.
using System.Collections.Generic;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Disks;

namespace FastBackup.Native.Monitor.Plans;

/// <param name="node">The disk of the target, and of sources without a node.</param>
/// <param name="target">The bitmap that gains.</param>
/// <param name="sources">What it gains.</param>
sealed class MergeAction(string node, string target, List<(string? Node, string Name)> sources)
    : BitmapAction(node, target)
{
    readonly DiskObject?[] _disks = new DiskObject?[sources.Count];
    readonly List<BitmapObject> _sources = [];

    public override string Type => "block-dirty-bitmap-merge";

    public override QmpError? Check(Plan plan, PlanState state)
    {
        QmpError? error = base.Check(plan, state);
        _sources.Clear();
        for (int i = 0; i < sources.Count && error == null; i++)
            error = CheckSource(plan, state, sources[i].Node, sources[i].Name, ref _disks[i]);
        return error;
    }

    QmpError? CheckSource(Plan plan, PlanState state, string? sourceNode, string name, ref DiskObject? disk)
    {
        if (sourceNode == null)
            disk = Disk;
        else if (Resolve(plan, sourceNode, ref disk) != null)
            return QmpError.Generic($"Node '{sourceNode}' not found");
        if (state.Find(disk!, name) is not { } source)
            return QmpError.Generic($"Dirty bitmap '{name}' not found");
        if (source.IsBusy)
            return Busy(name);
        if (source.Bitmap.Dirty!.SizeBytes != Disk.Core.CapacityBytes)
            return QmpError.Generic("Bitmaps are of different sizes (destination size is not the source's)");
        _sources.Add(source.Bitmap);
        return null;
    }

    public override void Apply(Plan plan)
    {
        foreach (BitmapObject source in _sources)
            Bitmap.Dirty!.Include(source.Dirty!);
    }
}
