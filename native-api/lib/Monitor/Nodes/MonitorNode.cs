// A device that blockdev-add opened, another name for one (driver raw over a node), or an image over one (qcow2).
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Nodes;

/// <summary>Threads: the monitor's; Disk the reactor's.</summary>
sealed class MonitorNode
{
    /// <summary>Unique; empty for a file that has no name of its own.</summary>
    public required string Name { get; init; }

    public required string Driver { get; init; }

    public required DeviceObject Device { get; init; }

    public required string FileName { get; init; }

    /// <summary>What driver raw or qcow2 lies on; null for the device itself.</summary>
    public MonitorNode? File { get; init; }

    /// <summary>Its device is another one than that of what it lies on.</summary>
    public bool IsImage => File != null && !ReferenceEquals(File.Device, Device);

    /// <summary>It came inside of another one and goes with it.</summary>
    public bool IsInline { get; init; }

    public bool IsReadOnly { get; init; }

    public bool IsDirect { get; init; }

    /// <summary>Nodes that lie on it.</summary>
    public uint ParentCount { get; set; }

    /// <summary>Made when it is first the source of a backup, or has a bitmap.</summary>
    public DiskObject? Disk { get; set; }
}
