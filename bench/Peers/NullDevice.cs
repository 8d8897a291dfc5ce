// A disk without content, for the cost of the machinery around I/O: reads and writes complete in the next
// turn and move nothing. A read only makes the first byte of each 4 KiB other than zero, once per buffer,
// so that the copy engine finds data and not holes.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Ports;

namespace FastBackup.Bench.Peers;

/// <summary>Threads: the loop's.</summary>
public sealed class NullDevice(IIoLoop loop, string name, ulong capacityBytes) : IBlockDevice, ILoopTask
{
    readonly record struct Finished(IBlockOwner Owner, ulong UserData, BlockResult Result);

    readonly Queue<Finished> _finished = new(1024);
    bool _isDeferred;

    public string Name => name;

    public BlockLimits Limits { get; } =
        new()
        {
            CapacityBytes = capacityBytes,
            RequestAlignBytes = 1,
            BufferAlignBytes = 1,
            IsZeroInitialised = true,
        };

    public bool ReadsAsZero => true;

    public uint InFlightCount => (uint)_finished.Count;

    public void Submit(in BlockRequest request)
    {
        BlockResult result = default;
        if (request.Operation == BlockOperation.Read)
            Touch(request);
        else if (request.Operation == BlockOperation.Map)
            result = Map(request);
        _finished.Enqueue(new Finished(request.Owner, request.UserData, result));
        if (_isDeferred)
            return;
        _isDeferred = true;
        loop.Defer(this, 0);
    }

    public void Promote(IBlockOwner owner, ulong userData)
    {
        // Everything is begun at once.
    }

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        for (int count = _finished.Count; count > 0; count--)
        {
            Finished finished = _finished.Dequeue();
            finished.Owner.OnBlockCompleted(finished.UserData, finished.Result);
        }
    }

    public void Dispose() => Check.That(InFlightCount == 0);

    static unsafe void Touch(in BlockRequest request)
    {
        // SAFETY: the caller owns LengthBytes at Buffer until the completion.
        byte* buffer = (byte*)request.Buffer;
        byte* last = buffer + (request.LengthBytes - 1) / (4 * Units.KiB) * (4 * Units.KiB);
        if (*buffer != 0 && *last != 0)
            return;
        for (byte* at = buffer; at <= last; at += 4 * Units.KiB)
            *at = 1;
    }

    static unsafe BlockResult Map(in BlockRequest request)
    {
        // SAFETY: the caller keeps room for at least one entry until the completion.
        MapEntry* entry = (MapEntry*)request.Buffer;
        *entry = new MapEntry
        {
            OffsetBytes = request.OffsetBytes,
            LengthBytes = request.LengthBytes,
            Kind = ExtentKind.Data,
        };
        return new BlockResult(Fault.None, 1);
    }
}
