// A file for captured data that memory has no room for, used by one job at a time.
using FastBackup.Devices;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class ScratchSlot(DiskImage image, FileDevice device)
{
    public DiskImage Image { get; } = image;
    public FileDevice Device { get; } = device;
    public bool IsTaken;
}
