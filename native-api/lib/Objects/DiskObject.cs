// A disk as hosts hold it: the engine's disk, its device, its bitmaps and its jobs.
using FastBackup.Filter;
using FastBackup.Memory;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Objects;

/// <summary>Threads: Core's guest calls any; the rest is the reactor's.</summary>
sealed class DiskObject(EngineObject engine, DeviceObject device, Disk core) : EngineChild(engine), IHandleKind
{
    /// <summary>Guest requests that may wait or be at the device at once, where nobody says how many.</summary>
    public const uint WaitingDefault = 1024;

    /// <summary>The most that a disk may take for writes that are answered before they land.</summary>
    public const ulong AbsorbBytesMax = Base.Units.GiB;

    public static HandleKind Kind => HandleKind.Disk;

    public static string Noun => "disk";

    public Disk Core => core;

    public DeviceObject Device => device;

    /// <summary>Bitmaps that the disk has, or will have in its next quiesced moment.</summary>
    public NamedCollection<BitmapObject> Bitmaps { get; } = new();

    /// <summary>Made by a monitor over a node of its own.</summary>
    public bool IsOfMonitor { get; init; }

    public uint JobCount { get; set; }

    /// <summary>NBD exports of monitors and servers, of the disk or of its points in time.</summary>
    public uint ExportCount { get; set; }

    /// <summary>Keeps what guests write, beyond the process; null: none.</summary>
    public DiskTracker? Tracker { get; set; }

    /// <summary>Keeps the persistent bitmaps of the image that the disk is; null: none.</summary>
    public KeptBitmaps? Image { get; set; }

    /// <summary>Changes that wait for a quiesced moment.</summary>
    public uint ChangeCount { get; set; }

    /// <summary>On the reactor's thread. Has its handle, and keeps the engine open until it is closed.</summary>
    public static Answer TryMake(
        EngineObject engine,
        DeviceObject device,
        string name,
        uint waitingMax,
        ulong absorbBytes,
        bool isOfMonitor,
        out DiskObject? disk
    )
    {
        disk = null;
        if (device.HasDisk || device.HasJob)
            return Answer.State("the device has a disk already, or is the target of a job");
        if (!engine.TryRetain(isChild: true))
            return Answer.Handle(EngineObject.Noun);
        try
        {
            Disk core = new(engine.Reactor, device.Device, name, waitingMax, absorbBytes);
            disk = new DiskObject(engine, device, core) { IsOfMonitor = isOfMonitor };
        }
        finally
        {
            if (disk == null)
                engine.Release(isChild: true);
        }
        device.HasDisk = true;
        engine.Disks.Add(disk);
        _ = HandleTable.Open(disk);
        return Answer.Ok;
    }

    /// <summary>On the reactor's thread.</summary>
    public Answer CloseIfIdle()
    {
        EngineObject engine = Engine!;
        if (JobCount > 0)
            return Answer.State("jobs of the disk are open");
        bool isStopped = engine.Reactor.HasFailed;
        if (ExportCount > 0 && !isStopped)
            return Answer.State(
                "the disk is exported to NBD clients: fb_server_remove_export, or in a monitor block-export-del, first"
            );
        if (Tracker != null && !isStopped)
            return Answer.State("a tracker is attached to the disk: detach it first");
        bool isBusy = core.WaitingCount > 0 || core.AtDeviceCount > 0 || ChangeCount > 0;
        if (!isStopped && (isBusy || core.WritesInFlight != 0))
            return Answer.State("requests or granted writes of the disk have not ended");
        _ = TryClose();
        HandleTable.Close(this);
        // Nothing is in flight, so the quiesced moment is now: a call that found the disk in time records nothing.
        if (!isStopped)
            Disk.Quiesce(engine.Reactor, [core], TakeBitmapsOff);
        bool isMemoryLeft = false;
        foreach (BitmapObject bitmap in Bitmaps)
        {
            bitmap.Detach();
            isMemoryLeft |= bitmap.TryCloseUnlessOfHost() && Retirement.Weigh(bitmap.Bits.BitCount);
        }
        if (isMemoryLeft)
            Retirement.Collect(); // once for all of them
        Bitmaps.Clear();
        _ = engine.Disks.Remove(this);
        device.HasDisk = false;
        if (!isStopped && core.Bitmaps.Count == 0 && core.WaitingCount == 0)
            core.Dispose();
        engine.Release(isChild: true);
        return Answer.Ok;
    }

    void TakeBitmapsOff()
    {
        while (core.Bitmaps.First is { } first)
            core.Remove(first);
    }
}
