// The scratch device of a job: what it must be, and the space on it. The engine's own rules know only the space.
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Native.Devices;
using FastBackup.Native.Disks;
using FastBackup.Native.Errors;

namespace FastBackup.Native.Jobs;

/// <summary>Threads: the reactor's.</summary>
static class JobScratch
{
    const uint ClusterBytesMin = (uint)(4 * Units.KiB); // of the engine

    /// <summary>Checks the device and takes its space; the memory for it is 48 bytes a cluster.</summary>
    /// <param name="disk">The source; scratch must be apart from it.</param>
    /// <param name="target">Likewise.</param>
    /// <param name="scratch">Used by nobody.</param>
    /// <param name="bytesMax">Of it; 0 = all.</param>
    /// <param name="options">For the cluster size and the memory.</param>
    /// <param name="space">To be disposed after the job; null when refused.</param>
    /// <returns>Ok, Invalid, State, Align or Unsupported.</returns>
    public static Answer TryMake(
        DiskObject disk,
        DeviceObject target,
        DeviceObject scratch,
        ulong bytesMax,
        FilterOptions options,
        out ScratchSpace? space
    )
    {
        space = null;
        IBlockDevice device = scratch.Device;
        if (ReferenceEquals(scratch, target) || IsSameStorage(device, target.Device))
            return Answer.Invalid("scratch is the target itself");
        if (ReferenceEquals(scratch, disk.Device) || IsSameStorage(device, disk.Device.Device))
            return Answer.Invalid("scratch is the source itself");
        if (scratch.HasDisk || scratch.HasJob)
            return Answer.State("scratch has a disk, or is used by another job");
        if (device.InFlightCount > 0)
            return Answer.State("scratch still has requests of another job: it does not answer");
        if (device.Limits.IsReadOnly)
            return Answer.Unsupported("scratch is read-only");
        uint cluster = options.ClusterBytes;
        if (!Units.IsPowerOfTwo(cluster) || cluster < ClusterBytesMin)
            return Answer.Invalid($"cluster size {cluster} is not a power of two of at least {ClusterBytesMin}");
        if (cluster < device.Limits.RequestAlignBytes)
            return new Answer(Status.Align, default, "the cluster size is below scratch's sector size");
        Fault fault = ScratchSpace.TryCreate(device, bytesMax == 0 ? ulong.MaxValue : bytesMax, cluster, out space);
        return fault.IsNone ? Answer.Ok : Answer.Invalid("scratch, or scratch_bytes_max, is below one cluster");
    }

    static bool IsSameStorage(IBlockDevice a, IBlockDevice b) =>
        a is FileDevice file && b is FileDevice other && file.Identity == other.Identity && file.Identity != default;
}
