// What a copy with a fixed number of requests does to a guest: QEMU's backup by default, 64 workers that each read
// 1 MiB and write it. Without copy-before-write, so the guest has it better here than there.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Tests.Unit.Jobs;

sealed class FixedCopy(IBlockDevice source, IBlockDevice target, ulong endBytes) : IBlockOwner
{
    const int WorkerCount = 64;
    const ulong ChunkBytes = Units.MiB;

    readonly AlignedRegion _memory = AlignedRegion.Map(WorkerCount * ChunkBytes, RegionResidency.Resident);
    readonly (bool IsReading, ulong OffsetBytes)[] _workers = new (bool, ulong)[WorkerCount];
    ulong _cursorBytes;

    public ulong DoneBytes { get; private set; }

    public void Start()
    {
        for (int i = 0; i < WorkerCount; i++)
            Read(i);
    }

    public void OnBlockCompleted(ulong userData, in BlockResult result)
    {
        int worker = (int)userData;
        (bool isReading, ulong offsetBytes) = _workers[worker];
        if (isReading)
        {
            _workers[worker] = (false, offsetBytes);
            Submit(target, BlockOperation.Write, worker, offsetBytes);
            return;
        }
        DoneBytes += ChunkBytes;
        Read(worker);
    }

    void Read(int worker)
    {
        if (_cursorBytes >= endBytes)
            return;
        _workers[worker] = (true, _cursorBytes);
        _cursorBytes += ChunkBytes;
        Submit(source, BlockOperation.Read, worker, _workers[worker].OffsetBytes);
    }

    void Submit(IBlockDevice device, BlockOperation operation, int worker, ulong offsetBytes)
    {
        BlockRequest request = default;
        request.Operation = operation;
        (request.OffsetBytes, request.LengthBytes) = (offsetBytes, ChunkBytes);
        request.Buffer = _memory.Start + worker * (nint)ChunkBytes;
        (request.Owner, request.UserData) = (this, (ulong)worker);
        device.Submit(request);
    }
}
