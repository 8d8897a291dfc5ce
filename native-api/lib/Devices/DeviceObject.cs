// A device as hosts hold it, and what uses it: one disk, or one job as its target or scratch, never both.
using FastBackup.BlockIo;
using FastBackup.Native.Engines;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Devices;

/// <summary>Threads: the counts are the reactor's.</summary>
sealed class DeviceObject(EngineObject engine, IBlockDevice device) : AbiObject(engine), IHandleKind
{
    public static HandleKind Kind => HandleKind.Device;

    public static string Noun => "device";

    public IBlockDevice Device => device;

    public bool HasDisk { get; set; }

    public bool HasJob { get; set; }
}
