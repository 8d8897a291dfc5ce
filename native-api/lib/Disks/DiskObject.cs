// A disk as hosts hold it: the engine's disk, its device, its bitmaps and its jobs.
using System.Collections.Generic;
using FastBackup.Filter;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Devices;
using FastBackup.Native.Engines;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Disks;

/// <summary>Threads: Core's guest calls any; the rest is the reactor's.</summary>
sealed class DiskObject(EngineObject engine, DeviceObject device, Disk core) : AbiObject(engine), IHandleKind
{
    public static HandleKind Kind => HandleKind.Disk;

    public static string Noun => "disk";

    public Disk Core => core;

    public DeviceObject Device => device;

    /// <summary>Bitmaps that the disk has, or will have in its next quiesced moment.</summary>
    public List<BitmapObject> Bitmaps { get; } = [];

    /// <summary>Made by a monitor over a node of its own.</summary>
    public bool IsOfMonitor { get; init; }

    public uint JobCount { get; set; }

    /// <summary>Changes that wait for a quiesced moment.</summary>
    public uint ChangeCount { get; set; }
}
