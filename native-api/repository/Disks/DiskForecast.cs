// What a backup of a disk would read, told without reading any of it: from what has changed, the parent's lists and the
// map of holes. Costs a look at each chunk's place.
using System.Threading;
using FastBackup.Devices;
using FastBackup.Runtime;

namespace FastBackup.Repositories;

/// <param name="TotalBytes">Of the disk.</param>
/// <param name="ReadBytes">Whole chunks.</param>
/// <param name="HoleBytes">Known to be zero.</param>
/// <param name="SameBytes">Taken from the parent.</param>
sealed record DiskForecast(ulong TotalBytes, ulong ReadBytes, ulong HoleBytes, ulong SameBytes)
{
    /// <param name="engine">Drives the disk.</param>
    /// <param name="source">The disk.</param>
    /// <param name="plan">What would be done.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="RepositoryException">Damaged: a list of the parent cannot be read.</exception>
    public static DiskForecast Of(Engine engine, IBlockDevice source, BackupPlan plan, CancellationToken cancel)
    {
        DiskLayout layout = DiskLayout.Of(source.Limits.CapacityBytes, plan.ChunkBytes);
        using ChunkOrigins origins = new(engine, source, plan, layout);
        (ulong read, ulong holes, ulong same) = (0, 0, 0);
        for (ulong chunk = 0; chunk < layout.ChunkCount; chunk++)
        {
            cancel.ThrowIfCancellationRequested();
            ulong length = layout.LengthOf(chunk);
            switch (origins.Of(chunk, out _))
            {
                case ChunkOrigin.Parent:
                    same += length;
                    break;
                case ChunkOrigin.Hole:
                    holes += length;
                    break;
                default:
                    read += length;
                    break;
            }
        }
        return new DiskForecast(layout.SizeBytes, read, holes, same);
    }
}
