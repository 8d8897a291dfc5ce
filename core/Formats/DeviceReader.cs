// An IImageFile over a device: each call is requests on the loop, for which the caller's thread waits. Cold: for
// opening, examining, and the few writes around that. A loop that has stopped, or stops meanwhile, is a fault and no
// wait for ever.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Formats;

/// <summary>Threads: one, any but the loop's.</summary>
public sealed class DeviceReader : IImageFile, IBlockOwner, ILoopTask, IDisposable
{
    const uint PieceBytes = 1024 * 1024;
    const int LookMs = 500;

    readonly IIoLoop _loop;
    readonly IBlockDevice _device;
    readonly StandingPost _post;
    readonly AlignedRegion _piece = AlignedRegion.Map(PieceBytes, RegionResidency.Lazy);
    readonly ManualResetEventSlim _ended = new();
    BlockRequest _request;
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
        while (bytes.Length > 0)
        {
            uint lengthBytes = (uint)Math.Min((uint)bytes.Length, PieceBytes);
            Fault fault = Run(BlockOperation.Read, offsetBytes, lengthBytes);
            if (fault.IsFault)
                return fault;
            // SAFETY: the request has ended and has filled that many bytes of the region.
            new ReadOnlySpan<byte>((void*)_piece.Start, (int)lengthBytes).CopyTo(bytes);
            bytes = bytes[(int)lengthBytes..];
            offsetBytes += lengthBytes;
        }
        return Fault.None;
    }

    public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            uint lengthBytes = (uint)Math.Min((uint)bytes.Length, PieceBytes);
            bytes[..(int)lengthBytes].CopyTo(_piece.Slice(0, (int)lengthBytes));
            Fault fault = Run(BlockOperation.Write, offsetBytes, lengthBytes);
            if (fault.IsFault)
                return fault;
            bytes = bytes[(int)lengthBytes..];
            offsetBytes += lengthBytes;
        }
        return Fault.None;
    }

    public Fault Flush() => Run(BlockOperation.Flush, 0, 0);

    Fault Run(BlockOperation operation, ulong offsetBytes, uint lengthBytes)
    {
        Check.That(!_loop.MustNotWait);
        _request = new BlockRequest
        {
            Operation = operation,
            OffsetBytes = offsetBytes,
            LengthBytes = lengthBytes,
            Buffer = _piece.Start,
            Owner = this,
        };
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
        return _fault;
    }

    void ILoopTask.Run(ulong argument)
    {
        ulong endBytes = _request.OffsetBytes + _request.LengthBytes;
        Fault fault =
            _request.Operation == BlockOperation.Write && endBytes > _device.Limits.CapacityBytes
                ? _device.Grow(endBytes)
                : Fault.None;
        if (fault.IsNone)
        {
            _device.Submit(_request);
            return;
        }
        _fault = fault;
        _ended.Set();
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
