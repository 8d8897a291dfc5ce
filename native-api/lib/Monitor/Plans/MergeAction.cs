// block-dirty-bitmap-merge: sources may be of other disks of the same size.
using System.Collections.Generic;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Plans;

/// <param name="node">The disk of the target, and of sources without a node.</param>
/// <param name="target">The bitmap that gains.</param>
/// <param name="sources">What it gains.</param>
sealed class MergeAction(string node, string target, List<(string? Node, string Name)> sources)
    : BitmapAction(node, target)
{
    readonly DiskObject?[] _disks = new DiskObject?[sources.Count];
    readonly List<PlannedBitmap> _sources = [];

    public override string Type => "block-dirty-bitmap-merge";

    public override QmpError? Check(PlanContext plan, PlanState state)
    {
        QmpError? error = base.Check(plan, state) ?? RefusePersistent();
        _sources.Clear();
        for (int i = 0; i < sources.Count && error == null; i++)
            error = CheckSource(plan, state, sources[i].Node, sources[i].Name, ref _disks[i]);
        if (error == null && !state.Contents.TryMerge(Found, _sources))
            error = QmpError.Generic($"a transaction merges more than {PlanContents.SourcesMax} bitmaps in all");
        return error;
    }

    QmpError? CheckSource(PlanContext plan, PlanState state, string? sourceNode, string name, ref DiskObject? disk)
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
        _sources.Add(source);
        return null;
    }

    /// <summary>The plan does it, with all that changes contents.</summary>
    public override void Apply(PlanContext plan) { }
}
