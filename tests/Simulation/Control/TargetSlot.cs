// A place to back up to: an image and its device, used by one job at a time.
using FastBackup.Devices;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class TargetSlot(DiskImage image, FileDevice device, bool isZeroInitialised)
{
    public DiskImage Image { get; } = image;
    public FileDevice Device { get; } = device;
    public bool IsZeroInitialised { get; } = isZeroInitialised;
    public bool IsTaken;

    /// <summary>Lost power during a job: gives ENODEV until the job has ended.</summary>
    public bool IsDown;

    /// <summary>The bitmap whose chain of backups lies here, if any.</summary>
    public BitmapModel? Chain;

    /// <summary>A full backup with the chain's bitmap has succeeded, and every change since is in the bitmap.</summary>
    public bool IsChainValid;
}
