// Random requests against a device and a byte array at once: after each read, and at the end, they must agree.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

/// <summary>Keeps up to a few requests in flight on ranges that do not overlap.</summary>
sealed unsafe class DeviceModel : IBlockOwner, IDisposable
{
    const int SlotCount = 6;
    const int RequestBytesMax = 64 * 1024;
    const int PadBytes = 4096;

    sealed class Slot
    {
        public bool IsBusy;
        public BlockRequest Request;
    }

    readonly IBlockDevice _device;
    readonly Prng _prng;
    readonly byte[] _model;
    readonly Slot[] _slots = new Slot[SlotCount];
    readonly AlignedRegion _buffers = AlignedRegion.Map(
        SlotCount * (RequestBytesMax + 2 * PadBytes),
        RegionResidency.Resident
    );

    public DeviceModel(IBlockDevice device, ulong seed)
    {
        _device = device;
        _prng = new Prng(seed);
        _model = new byte[device.Limits.CapacityBytes];
        for (int i = 0; i < SlotCount; i++)
            _slots[i] = new Slot();
    }

    public int CompletedCount { get; private set; }

    public List<Fault> Faults { get; } = [];

    public ReadOnlySpan<byte> Model => _model;

    public bool IsIdle => Array.TrueForAll(_slots, slot => !slot.IsBusy);

    /// <summary>Submits one random request if a slot and a free range can be found.</summary>
    public void SubmitRandom()
    {
        int index = Array.FindIndex(_slots, slot => !slot.IsBusy);
        if (index < 0)
            return;
        Slot slot = _slots[index];
        BlockRequest request = RandomRequest();
        if (Overlaps(request))
            return;
        request.Owner = this;
        request.UserData = (ulong)index;
        // An address that is aligned for direct I/O half of the time.
        int misalignment = _prng.Chance(1, 2) ? 0 : (int)_prng.Below(PadBytes);
        request.Buffer = _buffers.Start + index * (RequestBytesMax + 2 * PadBytes) + misalignment;
        _prng.Fill(new Span<byte>((void*)request.Buffer, (int)request.LengthBytes));
        slot.IsBusy = true;
        slot.Request = request;
        _device.Submit(request);
        Assert.True(slot.IsBusy, "completed inside Submit");
    }

    public void OnBlockCompleted(ulong userData, in BlockResult result)
    {
        Slot slot = _slots[userData];
        Assert.True(slot.IsBusy, "completed twice");
        slot.IsBusy = false;
        CompletedCount++;
        if (result.Fault.IsFault)
        {
            Faults.Add(result.Fault);
            return;
        }
        ref readonly BlockRequest request = ref slot.Request;
        Span<byte> model = _model.AsSpan((int)request.OffsetBytes, (int)request.LengthBytes);
        Span<byte> buffer = new((void*)request.Buffer, (int)request.LengthBytes);
        switch (request.Operation)
        {
            case BlockOperation.Read:
                Assert.True(model.SequenceEqual(buffer), $"read of {request.LengthBytes} at {request.OffsetBytes}");
                break;
            case BlockOperation.Write:
                buffer.CopyTo(model);
                break;
            case BlockOperation.WriteZeroes:
                model.Clear();
                break;
            default:
                break;
        }
    }

    public void Dispose() => _buffers.Dispose();

    BlockRequest RandomRequest()
    {
        ulong capacityBytes = _device.Limits.CapacityBytes;
        ulong align = _prng.Chance(1, 2) ? _device.Limits.RequestAlignBytes : 1;
        ulong offset = Units.AlignDown(_prng.Below(capacityBytes), align);
        ulong length = Math.Min(1 + _prng.Below(RequestBytesMax), capacityBytes - offset);
        if (_prng.Chance(3, 4) && length > align && offset + length < capacityBytes)
            length = Units.AlignDown(length, align);
        BlockFlags flags = _prng.Chance(1, 2) ? BlockFlags.Padded : BlockFlags.None;
        if (_prng.Chance(1, 3))
            flags |= BlockFlags.MayUnmap;
        if (_prng.Chance(1, 10))
            flags |= BlockFlags.Fua;
        BlockOperation operation = _prng.Below(10) switch
        {
            < 4 => BlockOperation.Read,
            < 8 => BlockOperation.Write,
            < 9 => BlockOperation.WriteZeroes,
            _ => BlockOperation.Flush,
        };
        return new BlockRequest
        {
            Operation = operation,
            Flags = flags,
            OffsetBytes = offset,
            LengthBytes = operation == BlockOperation.Flush ? 0 : length,
        };
    }

    /// <summary>Bytes in common; two requests in one page are the device's affair to order.</summary>
    bool Overlaps(in BlockRequest request)
    {
        Extent wanted = new(request.OffsetBytes, request.LengthBytes);
        foreach (Slot slot in _slots)
            if (slot.IsBusy && new Extent(slot.Request.OffsetBytes, slot.Request.LengthBytes).Overlaps(wanted))
                return true;
        return false;
    }
}
