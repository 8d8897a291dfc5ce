// Chunks on their way from the source: each is read in pieces, and a piece that a guest waits for goes to the front.
// Cost: one request a piece. Does not say what becomes of a piece that was read, or could not be.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
/// <param name="source">Read from.</param>
/// <param name="map">Of the copy.</param>
/// <param name="memory">Where chunks are read to.</param>
/// <param name="tasks">Of the copy.</param>
/// <param name="owner">Told when a request is completed.</param>
sealed class SourceReader(IBlockDevice source, CopyMap map, CopyMemory memory, TaskTable tasks, IBlockOwner owner)
{
    /// <summary>Chunks that are being read for guests that wait.</summary>
    public uint GuestReadCount { get; private set; }

    public ulong GuestReadBytes { get; private set; }

    /// <summary>Clusters that are being read because memory for their blocks is short.</summary>
    public uint RestCount { get; private set; }

    /// <summary>Reads all pieces.</summary>
    public void Start(CopyTask task)
    {
        task.Step = CopyTask.State.Reading;
        task.PendingCount = task.Pieces.Count; // before the first can complete
        IoLane lane = IsAwaited(task) ? IoLane.CopyBeforeWrite : IoLane.Background;
        RestCount += task.Lane == CopyLane.Rest ? 1u : 0;
        if (task.Lane == CopyLane.CopyBeforeWrite)
            (GuestReadCount, GuestReadBytes) = (GuestReadCount + 1, GuestReadBytes + task.Extent.LengthBytes);
        for (uint piece = 0; piece < task.Pieces.Count; piece++)
        {
            BlockRequest request = memory.Request(task, BlockOperation.Read, task.PieceExtent(map, piece));
            (request.Flags, request.Lane, request.UserData) = (BlockFlags.Padded, lane, task.PieceKey(piece));
            source.Submit(request);
        }
    }

    /// <summary>No read of it is in flight any more.</summary>
    public void End(CopyTask task)
    {
        RestCount -= task.Lane == CopyLane.Rest ? 1u : 0;
        if (task.Lane == CopyLane.CopyBeforeWrite)
            (GuestReadCount, GuestReadBytes) = (GuestReadCount - 1, GuestReadBytes - task.Extent.LengthBytes);
    }

    /// <inheritdoc cref="CopyEngine.Promote"/>
    public void Promote(ulong firstCluster, ulong clusterCount)
    {
        ulong endCluster = firstCluster + clusterCount;
        for (ulong cluster = firstCluster; ; cluster++)
        {
            cluster = map.Busy.NextDirtyBit(cluster, endCluster);
            if (cluster >= endCluster)
                return;
            if (!tasks.TryGet(cluster, out CopyTask task))
                continue;
            if (task.Step != CopyTask.State.Reading || IsAwaited(task))
                continue;
            uint piece = task.Pieces.PieceOf(cluster);
            if (((task.Captured | task.Promoted) >> (int)piece & 1) != 0)
                continue;
            task.Promoted |= 1UL << (int)piece;
            source.Promote(owner, task.PieceKey(piece));
        }
    }

    /// <summary>A guest has waited for it from its start; else its reads may be promoted.</summary>
    static bool IsAwaited(CopyTask task) => task.Lane is not (CopyLane.Background or CopyLane.Rest);
}
