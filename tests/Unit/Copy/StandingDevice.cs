// A device whose requests stand until the test says what became of them, the oldest first.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Tests.Unit.Copy;

sealed class StandingDevice(ulong capacityBytes, uint alignBytes = 512, bool readsAsZero = false) : IBlockDevice
{
    readonly Queue<BlockRequest> _requests = new();

    public string Name => "standing";

    public BlockLimits Limits { get; } =
        new()
        {
            CapacityBytes = capacityBytes,
            RequestAlignBytes = alignBytes,
            BufferAlignBytes = alignBytes,
        };

    public uint InFlightCount => (uint)_requests.Count;

    public bool ReadsAsZero => readsAsZero;

    /// <summary>The last request.</summary>
    public BlockRequest Asked { get; private set; }

    public int AskedCount { get; private set; }

    public void Submit(in BlockRequest request)
    {
        _requests.Enqueue(request);
        (Asked, AskedCount) = (request, AskedCount + 1);
    }

    /// <summary>The oldest request ends.</summary>
    /// <param name="fault">None: well, and without a change of the buffer.</param>
    public void Answer(Fault fault = default)
    {
        BlockRequest request = _requests.Dequeue();
        request.Owner.OnBlockCompleted(request.UserData, new BlockResult(fault));
    }

    /// <summary>All that there are, and those that follow from them.</summary>
    public void AnswerAll(Fault fault = default)
    {
        while (_requests.Count > 0)
            Answer(fault);
    }

    public void Promote(IBlockOwner owner, ulong userData) { }

    public void Dispose() { }
}
