// A read-only device in small: its content follows from the offset. What a new kind of storage has to bring; no more.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Ports;

namespace FastBackup.Tests.Unit.Devices;

sealed class StripedDevice(IIoLoop loop, ulong capacityBytes) : IBlockDevice, ILoopTask
{
    readonly Queue<BlockRequest> _requests = [];

    public string Name => "striped";

    public BlockLimits Limits { get; } =
        new()
        {
            CapacityBytes = capacityBytes,
            RequestAlignBytes = 1,
            BufferAlignBytes = 1,
            IsReadOnly = true,
        };

    public uint InFlightCount => (uint)_requests.Count;

    public bool ReadsAsZero => false;

    public static byte ByteAt(ulong offset) => (byte)(1 + offset / 512 % 250);

    public void Submit(in BlockRequest request)
    {
        _requests.Enqueue(request);
        if (_requests.Count == 1)
            loop.Defer(this, 0);
    }

    public void Promote(IBlockOwner owner, ulong userData) { }

    public unsafe void Run(ulong argument)
    {
        for (int count = _requests.Count; count > 0; count--)
        {
            BlockRequest request = _requests.Dequeue();
            bool isRead = request.Operation == BlockOperation.Read;
            bool isFine = isRead && new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(capacityBytes);
            // SAFETY: whoever asked owns LengthBytes at Buffer until the completion.
            for (ulong i = 0; isFine && i < request.LengthBytes; i++)
                ((byte*)request.Buffer)[i] = ByteAt(request.OffsetBytes + i);
            Fault fault = isFine ? Fault.None : new Fault(isRead ? FaultKind.Range : FaultKind.Unsupported);
            request.Owner.OnBlockCompleted(request.UserData, new BlockResult(fault));
        }
        if (_requests.Count > 0)
            loop.Defer(this, 0);
    }

    public void Dispose() => Check.That(_requests.Count == 0);
}
