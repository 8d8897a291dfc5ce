// What a backup job refuses, each with a sentence that names the value and the rule.
using System.Globalization;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Memory;

namespace FastBackup.Jobs;

static class BackupRules
{
    public const uint ClusterBytesMin = (uint)(4 * Units.KiB);

    public static OpenRefusal Check(IBlockDevice source, IBlockDevice target, BufferPool pool, BackupOptions options)
    {
        ulong sourceBytes = source.Limits.CapacityBytes;
        ulong targetBytes = target.Limits.CapacityBytes;
        uint cluster = options.ClusterBytes;
        if (!Units.IsPowerOfTwo(cluster))
            return Refuse(FaultKind.Invalid, $"cluster size {cluster} is not a power of two");
        if (cluster < ClusterBytesMin)
            return Refuse(FaultKind.Invalid, $"cluster size {cluster} is below the smallest, {ClusterBytesMin}");
        if (cluster > pool.BufferBytes)
            return Refuse(
                FaultKind.Invalid,
                $"cluster size {cluster} is above the I/O buffer size, {pool.BufferBytes}"
            );
        if (cluster < source.Limits.RequestAlignBytes || cluster < target.Limits.RequestAlignBytes)
            return Refuse(FaultKind.Align, $"cluster size {cluster} is below the sector size of source or target");
        if (targetBytes < sourceBytes)
            return Refuse(
                FaultKind.NoSpace,
                $"target '{target.Name}' has {targetBytes} bytes, the source needs {sourceBytes}"
            );
        if (target.Limits.IsReadOnly)
            return Refuse(FaultKind.Unsupported, $"target '{target.Name}' is read-only");
        if (ReferenceEquals(source, target))
            return Refuse(FaultKind.Invalid, $"target '{target.Name}' is the source itself");
        return default;
    }

    static OpenRefusal Refuse(FaultKind kind, System.FormattableString sentence) =>
        new(new Fault(kind), sentence.ToString(CultureInfo.InvariantCulture));
}
