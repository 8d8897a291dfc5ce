// The scratch device of a job: whether its handle is free, and the space on it. What a device must be to serve as
// scratch is among the engine's own rules.
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Native.Errors;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's.</summary>
static class JobScratch
{
    const uint ClusterBytesMin = (uint)(4 * Units.KiB); // of the engine

    /// <summary>Takes the space of a device that nobody uses.</summary>
    /// <param name="disk">The source.</param>
    /// <param name="scratch">Used by nobody.</param>
    /// <param name="bytesMax">Of it; 0 = all.</param>
    /// <param name="options">For the cluster size and the memory.</param>
    /// <param name="space">To be disposed after the job; null when refused.</param>
    /// <returns>Ok, Invalid or State.</returns>
    public static Answer TryMake(
        DiskObject disk,
        DeviceObject scratch,
        ulong bytesMax,
        FilterOptions options,
        out ScratchSpace? space
    )
    {
        space = null;
        if (scratch.HasJob || scratch.HasDisk && !ReferenceEquals(scratch, disk.Device))
            return Answer.State("scratch has a disk, or is used by another job");
        uint cluster = options.ClusterBytes;
        if (!Units.IsPowerOfTwo(cluster) || cluster < ClusterBytesMin)
            return Answer.Invalid($"cluster size {cluster} is not a power of two of at least {ClusterBytesMin}");
        Fault fault = ScratchSpace.TryCreate(
            scratch.Device,
            bytesMax == 0 ? ulong.MaxValue : bytesMax,
            cluster,
            out space
        );
        return fault.IsNone ? Answer.Ok : Answer.Invalid("scratch, or scratch_bytes_max, is below one cluster");
    }
}
