// The file of an image in memory, opened and read as a device on a simulated loop: everything in one thread, in some
// hundred microseconds.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

/// <summary>Used again for one image after the other.</summary>
sealed unsafe class MemoryImage : IBlockOwner, IDisposable
{
    public const int BufferBytes = 256 << 10;
    const int GuardBytes = 4096;
    const byte Guard = 0xa5;
    const int AnswersMax = 64;

    readonly SimulatedLoop _loop = new(1);
    readonly AlignedRegion _buffer = AlignedRegion.Map(BufferBytes + 2 * GuardBytes, RegionResidency.Resident);
    uint _left;
    Fault _fault;

    public MemoryImage() => _buffer.Slice(0, (int)_buffer.LengthBytes).Fill(Guard);

    /// <param name="file">All of it.</param>
    /// <param name="backing">Of what it is based on; empty: nothing.</param>
    /// <param name="into">The beginning of the disk, as far as it is readable.</param>
    /// <returns>Null, or why it is refused or cannot be read.</returns>
    public string? TryRead(byte[] file, byte[] backing, Span<byte> into)
    {
        FileImage reader = new(file);
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header);
        NativeArray<ulong>? l1 = null;
        if (refusal.IsNone && (header!.Features & Qcow2Features.Corrupt) != 0)
            return "corrupt";
        if (refusal.IsNone && (header!.HasDataFile || header.BackingName != null))
            return "names files";
        if (refusal.IsNone && Qcow2Tables.WhatIsWrongBeside(reader, header!) is { } bad)
            return bad;
        if (refusal.IsNone)
            ReadBitmaps(reader, header!);
        if (refusal.IsNone)
            refusal = Qcow2Tables.TryReadL1(reader, header!, "image", out l1);
        if (!refusal.IsNone)
            return refusal.Sentence;
        Qcow2Parts parts = new()
        {
            File = Device(file),
            Header = header!,
            L1 = l1!,
            Backing = backing.Length == 0 ? null : Device(backing),
        };
        using Qcow2Device device = new(_loop.Reactor, "image", parts);
        string? wrong = Read(device, into);
        Map(device);
        Assert.Null(_loop.Reactor.Failure);
        return wrong;
    }

    /// <summary>What is right about all of them can be read.</summary>
    static void ReadBitmaps(FileImage reader, Qcow2Header header)
    {
        Assert.Null(Qcow2Bitmap.TryReadAll(reader, header, out List<Qcow2Bitmap> all));
        foreach (Qcow2Bitmap bitmap in all)
        {
            OpenRefusal refusal = BitmapReading.TryRead(reader, header, "image", bitmap, out HierarchicalBitmap? bits);
            Assert.Equal(bitmap.UselessBecause == null, refusal.IsNone);
            bits?.Dispose();
        }
    }

    MemoryDevice Device(byte[] content)
    {
        MemoryDevice device = new(_loop.Reactor, "file", (ulong)content.Length);
        content.CopyTo(device.Content(0, content.Length));
        return device;
    }

    string? Read(Qcow2Device device, Span<byte> into)
    {
        Span<byte> buffer = _buffer.Slice(GuardBytes, BufferBytes);
        int length = (int)Math.Min(device.Limits.CapacityBytes, (ulong)Math.Min(into.Length, BufferBytes));
        const int pieceBytes = 40_000;
        Submit(device, BlockOperation.Read, 0, length, pieceBytes);
        string? wrong = _fault.IsNone ? null : device.CorruptBecause ?? _fault.ToString();
        buffer[..length].CopyTo(into);
        Assert.False(buffer[length..].ContainsAnyExcept(Guard), "written behind the buffer");
        buffer[..length].Fill(Guard);
        // Somewhere else in a disk that may be vast now.
        ulong capacity = device.Limits.CapacityBytes;
        if (capacity > BufferBytes)
            Submit(device, BlockOperation.Read, capacity - BufferBytes / 2, BufferBytes / 2, pieceBytes);
        buffer.Fill(Guard);
        Assert.False(_buffer.Slice(0, GuardBytes).ContainsAnyExcept(Guard), "written before the buffer");
        Assert.False(_buffer.Slice(BufferBytes + GuardBytes, GuardBytes).ContainsAnyExcept(Guard), "written behind it");
        return wrong;
    }

    void Map(Qcow2Device device)
    {
        ulong at = 0;
        for (int answer = 0; answer < AnswersMax && at < device.Limits.CapacityBytes; answer++)
        {
            ulong length = device.Limits.CapacityBytes - at;
            MapEntry* entries = (MapEntry*)(_buffer.Start + GuardBytes);
            _left = 1;
            Submit(device, BlockOperation.Map, at, length);
            _loop.RunUntil(() => _left == 0);
            if (_fault.IsFault)
                break;
            Assert.InRange(_count, 1u, 20u);
            for (uint i = 0; i < _count; i++)
            {
                Assert.Equal(at, entries[i].OffsetBytes);
                Assert.NotEqual(0ul, entries[i].LengthBytes);
                at += entries[i].LengthBytes;
            }
            Assert.True(at <= device.Limits.CapacityBytes);
        }
        _buffer.Slice(GuardBytes, BufferBytes).Fill(Guard);
    }

    uint _count;

    void Submit(Qcow2Device device, BlockOperation operation, ulong offset, int length, int pieceBytes)
    {
        _fault = Fault.None;
        _left = (uint)((length + pieceBytes - 1) / pieceBytes);
        for (int at = 0; at < length; at += pieceBytes)
            Submit(device, operation, offset + (ulong)at, (ulong)Math.Min(pieceBytes, length - at), at);
        _loop.RunUntil(() => _left == 0);
    }

    void Submit(Qcow2Device device, BlockOperation operation, ulong offset, ulong length, int at = 0)
    {
        if (operation == BlockOperation.Map)
            _fault = Fault.None;
        device.Submit(
            new BlockRequest
            {
                Operation = operation,
                OffsetBytes = offset,
                LengthBytes = length,
                Buffer = _buffer.Start + GuardBytes + at,
                MapCapacity = 20,
                Owner = this,
            }
        );
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        // A range behind the end of the file was never to be asked for.
        Assert.NotEqual(FaultKind.Range, result.Fault.Kind);
        if (result.Fault.IsFault)
            _fault = result.Fault;
        _count = result.Count;
        _left--;
    }

    public void Dispose()
    {
        _loop.Dispose();
        _buffer.Dispose();
    }
}
