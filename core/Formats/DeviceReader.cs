// An IImageReader over a device: each read is a request on the loop, for which the caller's thread waits. Cold: for
// opening and examining. A loop that has stopped, or stops meanwhile, is a fault and no wait for ever.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Formats;

/// <summary>Threads: one, any but the loop's.</summary>
public sealed class DeviceReader : IImageReader, IBlockOwner, ILoopTask, IDisposable
{
    const uint PieceBytes = 1024 * 1024;
    const int LookMs = 500;

    readonly IIoLoop _loop;
    readonly IBlockDevice _device;
    readonly StandingPost _post;
    readonly AlignedRegion _piece = AlignedRegion.Map(PieceBytes, RegionResidency.Lazy);
    readonly ManualResetEventSlim _ended = new();
    ulong _offsetBytes;
    uint _lengthBytes;
    Fault _fault;
    bool _isHanging; // the device may still write to the memory

    /// <param name="loop">Drives the device.</param>
    /// <param name="device">Stays the caller's, and outlives this.</param>
    public DeviceReader(IIoLoop loop, IBlockDevice device)
    {
        (_loop, _device) = (loop, device);
        _post = new StandingPost(this);
    }

    public ulong SizeBytes => _device.Limits.CapacityBytes;

    public unsafe Fault Read(ulong offsetBytes, Span<byte> bytes)
    {
        Check.That(!_loop.MustNotWait);
        while (bytes.Length > 0)
        {
            (_offsetBytes, _lengthBytes) = (offsetBytes, (uint)Math.Min((uint)bytes.Length, PieceBytes));
            _fault = Fault.None;
            _ended.Reset();
            if (_isHanging || _loop.HasFailed)
                return new Fault(FaultKind.Canceled);
            _loop.Post(_post);
            while (!_ended.Wait(LookMs))
                if (_loop.HasFailed)
                {
                    _isHanging = true;
                    return new Fault(FaultKind.Canceled);
                }
            if (_fault.IsFault)
                return _fault;
            // SAFETY: the request has ended and has filled that many bytes of the region.
            new ReadOnlySpan<byte>((void*)_piece.Start, (int)_lengthBytes).CopyTo(bytes);
            bytes = bytes[(int)_lengthBytes..];
            offsetBytes += _lengthBytes;
        }
        return Fault.None;
    }

    void ILoopTask.Run(ulong argument)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        request.OffsetBytes = _offsetBytes;
        request.LengthBytes = _lengthBytes;
        request.Buffer = _piece.Start;
        request.Owner = this;
        _device.Submit(request);
    }

    void ILoopTask.Abandon(ulong argument)
    {
        _fault = new Fault(FaultKind.Canceled);
        _ended.Set();
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        _fault = result.Fault;
        _ended.Set();
    }

    public void Dispose()
    {
        if (_isHanging)
            _piece.Leak();
        else
            _piece.Dispose();
        _ended.Dispose();
    }
}
