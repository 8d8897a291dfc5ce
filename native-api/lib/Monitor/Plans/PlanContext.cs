// What the actions of a plan see of the monitor, and of each other beside bitmaps.
using System.Collections.Generic;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Jobs;
using FastBackup.Native.Monitor.Nodes;
using FastBackup.Native.Objects;
using FastBackup.Ports.Linux;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's.</summary>
/// <param name="turns">Of the monitor.</param>
/// <param name="nodes">Of the monitor.</param>
/// <param name="jobs">Of the monitor.</param>
/// <param name="isGrouped">Its jobs end together.</param>
/// <param name="patience">Threads for what may take its time.</param>
sealed class PlanContext(MonitorTurns turns, NodeTable nodes, StartedJobs jobs, bool isGrouped, PatientThreads patience)
{
    readonly Dictionary<DiskObject, uint> _backups = []; // found so far
    readonly List<DiskObject> _disks = []; // few: one after the other is looked at
    readonly List<PlannedPoints> _points = []; // one a disk
    int _backupCount;

    public MonitorTurns Turns => turns;

    public NodeTable Nodes => nodes;

    public StartedJobs Jobs => jobs;

    /// <summary>Threads: any.</summary>
    public PatientThreads Patience => patience;

    public bool IsGrouped => isGrouped;

    /// <summary>Disks that must be quiet for it; known once it was checked.</summary>
    public IReadOnlyList<DiskObject> Disks => _disks;

    /// <summary>An action is about this disk.</summary>
    public void MeanDisk(DiskObject disk)
    {
        if (_disks.Count == 0 || (!ReferenceEquals(_disks[^1], disk) && !_disks.Contains(disk)))
            _disks.Add(disk);
    }

    /// <summary>The checkpoint of a disk that is made at its instant; null: none is.</summary>
    public (string Name, ulong CreatedNs)? FindPoint(DiskObject disk) => FindPoints(disk)?.Checkpoint;

    /// <summary>The points that the plan makes on a disk; null: none so far. Threads: that of Prepare, and later the
    /// reactor's.</summary>
    public PlannedPoints? FindPoints(DiskObject disk) => _points.Find(points => ReferenceEquals(points.Disk, disk));

    /// <summary>Threads: that of Prepare.</summary>
    public PlannedPoints AddPoints(PlannedPoints points)
    {
        _points.Add(points);
        return points;
    }

    /// <summary>When all actions were prepared. Threads: that of Prepare.</summary>
    /// <returns>Null, or why not.</returns>
    public QmpError? PreparePoints()
    {
        QmpError? error = null;
        foreach (PlannedPoints points in _points)
            error ??= points.Prepare(turns);
        return error;
    }

    /// <summary>One more backup was found.</summary>
    /// <param name="disk">Of this disk.</param>
    /// <param name="ofDisk">As many of the disk, this one included.</param>
    /// <returns>As many of all disks.</returns>
    public int CountBackup(DiskObject disk, out uint ofDisk)
    {
        ofDisk = _backups.GetValueOrDefault(disk) + 1;
        _backups[disk] = ofDisk;
        return ++_backupCount;
    }
}
