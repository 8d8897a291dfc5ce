// A device of any size without content: every request succeeds in the next turn. For work in proportion to a size.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Ports;

namespace FastBackup.Tests.Unit.Filter;

sealed class VastDevice(IIoLoop loop, ulong capacityBytes, bool isZeroInitialised = false, bool canTellSize = false)
    : IBlockDevice,
        ILoopTask
{
    readonly Queue<BlockRequest> _requests = new();
    bool _isDeferred;

    public string Name => "vast";

    public BlockLimits Limits { get; private set; } =
        new()
        {
            CapacityBytes = capacityBytes,
            RequestAlignBytes = 512,
            BufferAlignBytes = 512,
            IsZeroInitialised = isZeroInitialised,
            CanTellSize = canTellSize,
        };

    public Fault Grow(ulong sizeBytes)
    {
        Limits = Limits with { CapacityBytes = sizeBytes };
        return Fault.None;
    }

    public uint InFlightCount => (uint)_requests.Count;

    public bool ReadsAsZero => isZeroInitialised;

    /// <summary>Nothing is answered.</summary>
    public bool IsHeld { get; set; }

    /// <summary>What the images that were begun here were told of their bitmaps.</summary>
    public List<ulong> ImageSerials { get; } = [];

    /// <summary>Of them so many have ended.</summary>
    public int EndedImageCount { get; private set; }

    /// <summary>Reads and writes so far.</summary>
    public ulong TransferCount { get; private set; }

    public void Submit(in BlockRequest request)
    {
        _requests.Enqueue(request);
        TransferCount += request.Operation is BlockOperation.Read or BlockOperation.Write ? 1u : 0u;
        if (!_isDeferred && !IsHeld)
            loop.Defer(this, 0);
        _isDeferred |= !IsHeld;
    }

    public void BeginImage(ulong bitmapSerial) => ImageSerials.Add(bitmapSerial);

    public void EndImage() => EndedImageCount++;

    public void Promote(IBlockOwner owner, ulong userData) { }

    public void Run(ulong argument)
    {
        _isDeferred = false;
        for (int count = _requests.Count; count > 0 && !IsHeld; count--)
        {
            BlockRequest request = _requests.Dequeue();
            request.Owner.OnBlockCompleted(request.UserData, default);
        }
    }

    public void Dispose() { }
}
