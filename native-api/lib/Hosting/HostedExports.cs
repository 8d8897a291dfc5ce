// What clients find: each disk by its name, and beside it, while a job runs whose point in time can be read, the disk
// as it was at the newest such job's beginning: "snapshot", or of several disks "snapshot-NAME".
using System.Collections.Generic;
using FastBackup.Native.Objects;
using FastBackup.Serving;

namespace FastBackup.Native.Hosting;

/// <summary>Threads: the loop's; Add before the first client.</summary>
sealed class HostedExports : IServedDisks
{
    const string SnapshotName = "snapshot";

    sealed record Export(DiskObject Disk, ServedDisk Live)
    {
        public SnapshotFront? Snapshot { get; set; } // of the job that was newest when somebody asked last
    }

    readonly List<Export> _exports = [];

    /// <summary>Disks as they are now.</summary>
    public IEnumerable<ServedDisk> Live
    {
        get
        {
            foreach (Export export in _exports)
                yield return export.Live;
        }
    }

    public IEnumerable<ServedDisk> All
    {
        get
        {
            foreach (Export export in _exports)
            {
                yield return export.Live;
                if (SnapshotOf(export) is { } snapshot)
                    yield return snapshot;
            }
        }
    }

    public void Add(DiskObject disk, ServedDisk live) => _exports.Add(new Export(disk, live));

    public ServedDisk? Find(string name)
    {
        foreach (ServedDisk disk in All)
            if (disk.Name == name)
                return disk;
        return name.Length == 0 && _exports.Count == 1 ? _exports[0].Live : null;
    }

    ServedDisk? SnapshotOf(Export export)
    {
        if (JobObject.NewestReadable(export.Disk.Engine!, of: export.Disk) is not { } job)
            return null;
        if (!ReferenceEquals(export.Snapshot?.Job, job))
            export.Snapshot = new SnapshotFront(job);
        string name = _exports.Count == 1 ? SnapshotName : $"{SnapshotName}-{export.Live.Name}";
        return new ServedDisk(name, export.Snapshot!)
        {
            Description = job.Core.Id,
            IsReadOnly = true,
            Bitmaps = export.Live.Bitmaps,
        };
    }
}
