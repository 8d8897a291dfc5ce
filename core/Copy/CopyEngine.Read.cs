// The read half of the copy engine: pieces, their capture and release, and what becomes of those that failed.
using System.Numerics;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Copy;

public sealed partial class CopyEngine
{
    const int PieceShift = 24; // a key's slot is below it

    static ulong PieceKey(CopyTask task, uint piece) => task.Key | (ulong)piece << PieceShift;

    void Read(CopyTask task)
    {
        task.PendingCount = task.Pieces.Count; // before the first can complete
        IoLane lane = task.Lane == CopyLane.Background ? IoLane.Background : IoLane.CopyBeforeWrite;
        for (uint piece = 0; piece < task.Pieces.Count; piece++)
        {
            Extent extent = PieceExtent(task, piece);
            BlockRequest request = NewRequest(task, BlockOperation.Read, extent);
            (request.Flags, request.Lane, request.UserData) = (BlockFlags.Padded, lane, PieceKey(task, piece));
            _source.Submit(request);
        }
    }

    void CountGuestRead(CopyTask task, int sign)
    {
        GuestReadCount = (uint)((int)GuestReadCount + sign);
        _cbwReadBytes = (ulong)((long)_cbwReadBytes + sign * (long)task.Extent.LengthBytes);
    }

    Extent PieceExtent(CopyTask task, uint piece)
    {
        ulong set = 1UL << (int)piece;
        Check.That(task.Pieces.TryTakeRun(ref set, out ulong first, out ulong count));
        return Map.Bytes(first, count);
    }

    void OnRead(CopyTask task, uint piece, Fault fault)
    {
        task.PendingCount--;
        if (fault.IsNone && !task.Owner.IsSnapshotWhole)
            fault = new Fault(FaultKind.SnapshotLost, 0, task.Extent.OffsetBytes);
        if (fault.IsNone)
            Capture(task, piece);
        else if (task.FirstFault.IsNone)
            task.FirstFault = fault;
        if (task.PendingCount == 0)
            OnAllRead(task);
    }

    void Capture(CopyTask task, uint piece)
    {
        ulong set = 1UL << (int)piece;
        Extent extent = PieceExtent(task, piece);
        task.Captured |= set;
        _counters.ReadBytes += extent.LengthBytes;
        _trace.Emit(TracePoint.Capture, extent);
        bool isLate = Planted.Is(PlantedBug.ReleasedWhenWritten);
        if (_rules.ReleasePoint == ReleasePoint.Captured && (task.Released & set) == 0 && !isLate)
            Release(task, set);
    }

    void OnAllRead(CopyTask task)
    {
        if (task.Lane == CopyLane.CopyBeforeWrite)
            CountGuestRead(task, -1);
        if (task.Captured == 0)
        {
            Finish(task, CopyEnd.SourceFailed);
            return;
        }
        ulong failed = task.Pieces.All & ~task.Captured;
        Fault fault = task.FirstFault;
        task.FirstFault = Fault.None;
        task.Step = CopyTask.State.Captured;
        if (failed != 0 && !Planted.Is(PlantedBug.FailedPieceForgotten))
            SetBackFailed(task, failed, fault);
        if (task.Lane == CopyLane.Background)
            StartWriting(task);
        else
            WaitForTarget(task);
    }

    /// <summary>Part of a chunk could not be read: that part ends here, the rest goes on without it.</summary>
    void SetBackFailed(CopyTask task, ulong failed, Fault fault)
    {
        ulong rest = failed;
        while (task.Pieces.TryTakeRun(ref rest, out ulong first, out ulong count))
        {
            SetBack(task, first, count, fault, isSource: true);
            _index.RemoveRun(first, count);
            InFlightBytes -= Map.Bytes(first, count).LengthBytes;
        }
        // Told after all is in order: the owner may start copies of these very clusters.
        while (task.Pieces.TryTakeRun(ref failed, out ulong first, out ulong count))
            task.Owner.OnCopied(new CopyOutcome(Map.Bytes(first, count), task.Lane, CopyEnd.SourceFailed, fault, 0));
    }

    void SetBack(CopyTask task, ulong firstCluster, ulong clusterCount, Fault fault, bool isSource)
    {
        _trace.Emit(TracePoint.SetBack, Map.Bytes(firstCluster, clusterCount), fault.Errno);
        if (!task.HasReleased(firstCluster))
            Map.Busy.ClearBits(firstCluster, clusterCount);
        if (!isSource || !Planted.Is(PlantedBug.R36FailedClusterSkipped))
            Map.Todo.SetBits(firstCluster, clusterCount);
    }

    /// <summary>Bytes of the chunk that have not been set back.</summary>
    ulong LiveBytes(CopyTask task)
    {
        if (task.IsWhole || task.Captured == 0)
            return task.Extent.LengthBytes;
        ulong pieces = task.Captured;
        ulong sumBytes = 0;
        while (task.Pieces.TryTakeRun(ref pieces, out ulong first, out ulong count))
            sumBytes += Map.Bytes(first, count).LengthBytes;
        return sumBytes;
    }

    /// <summary>Where the run of pieces ends, from a byte of the chunk on, that are captured or are not.</summary>
    ulong EndOfRun(CopyTask task, ulong startBytes, out bool isCaptured)
    {
        isCaptured = true;
        if (task.IsWhole)
            return task.Extent.LengthBytes;
        ulong pieceBytes = task.Pieces.PieceClusters * Map.ClusterBytes;
        int piece = (int)(startBytes / pieceBytes);
        isCaptured = (task.Captured >> piece & 1) != 0;
        ulong others = (isCaptured ? ~task.Captured : task.Captured) >> piece;
        int length = BitOperations.TrailingZeroCount(others);
        ulong endBytes = (ulong)(piece + length) * pieceBytes;
        return endBytes < task.Extent.LengthBytes ? endBytes : task.Extent.LengthBytes;
    }
}
