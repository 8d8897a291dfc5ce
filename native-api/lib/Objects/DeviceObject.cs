// A device as hosts hold it, and what uses it: one disk, or one job as its target or scratch, never both.
using FastBackup.Devices;
using FastBackup.Devices.Targets;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the counts are the reactor's.</summary>
sealed class DeviceObject(EngineObject engine, IBlockDevice device) : EngineChild(engine), IHandleKind
{
    public static HandleKind Kind => HandleKind.Device;

    public static string Noun => "device";

    public IBlockDevice Device => device;

    /// <summary>Where it gets its name; null for what has one. Its calls are made under its lock.</summary>
    public TargetPlace? Place { get; init; }

    public bool HasDisk { get; set; }

    public bool HasJob { get; set; }

    /// <summary>On the caller's thread, when the device is closed: its file system may be slow.</summary>
    public void ClosePlace(bool isUnwritten)
    {
        if (Place is not { } place)
            return;
        lock (place)
        {
            if (isUnwritten)
                place.Undo();
            place.Dispose();
        }
    }
}
