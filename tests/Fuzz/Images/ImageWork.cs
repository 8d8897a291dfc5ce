// Images in memory as devices on a simulated loop: opened, asked in batches, closed. What a right engine never does
// ends it: an answer that never comes, a request outside of the file, bytes beside a buffer.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Memory;
using FastBackup.Tests.Images;
using FastBackup.Tests.Simulated;

namespace FastBackup.Tests.Fuzz.Images;

/// <summary>Threads: one. Used for one image after the other.</summary>
sealed class ImageWork : IBlockOwner, IDisposable
{
    public const int BufferBytes = 256 << 10;
    public const int RequestsMax = 16; // at once

    const int GuardBytes = 4096;
    const byte Guard = 0xa5;
    const int TurnsMax = 200_000;
    const ulong StepBytes = 64 << 10;
    const ulong LongerByMax = 16 << 20;

    readonly SimulatedLoop _loop = new(1);
    readonly AlignedRegion _region = AlignedRegion.Map(BufferBytes + 2 * GuardBytes, RegionResidency.Resident);
    readonly Fault[] _faults = new Fault[RequestsMax];
    uint _left;

    public ImageWork() => _region.Slice(0, (int)_region.LengthBytes).Fill(Guard);

    public Span<byte> Buffer => _region.Slice(GuardBytes, BufferBytes);

    /// <summary>Of the last map.</summary>
    public uint MapCount { get; private set; }

    /// <param name="file">Of the image; stays as it is.</param>
    /// <param name="chance">Of the order in which its requests end.</param>
    /// <param name="isWritten">It is opened for that.</param>
    /// <param name="keepsBitmaps">Its bitmaps stay believed.</param>
    /// <param name="image">Its file, or null.</param>
    /// <returns>The device, or null: it is refused.</returns>
    public Qcow2Device? TryOpen(byte[] file, Prng chance, bool isWritten, bool keepsBitmaps, out ImageFile? image)
    {
        MemoryFile reader = new(file);
        image = null;
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header);
        bool isRefused =
            !refusal.IsNone
            || (header!.Features & Qcow2Features.Corrupt) != 0
            || header is { HasDataFile: true } or { BackingName: not null }
            || Qcow2Tables.WhatIsWrongBeside(reader, header) != null;
        if (isRefused || !Qcow2Tables.TryReadL1(reader, header!, "image", out NativeArray<ulong>? l1).IsNone)
            return null;
        WritableParts? writable = null;
        if (isWritten)
            refusal = WritableParts.TryRead(
                reader,
                header!,
                l1!,
                "image",
                (true, StepBytes),
                out writable,
                keepsBitmaps
            );
        if (!refusal.IsNone)
        {
            l1!.Dispose();
            return null;
        }
        image = new ImageFile(_loop.Reactor, file, chance) { BytesMax = (ulong)file.Length + LongerByMax };
        Qcow2Parts parts = new()
        {
            File = image,
            Header = header!,
            L1 = l1!,
            Writable = writable,
        };
        return new Qcow2Device(_loop.Reactor, "image", parts);
    }

    /// <summary>All at once, to the end of all of them.</summary>
    /// <param name="device">Is asked.</param>
    /// <param name="requests">Buffers are offsets in Buffer.</param>
    /// <returns>What became of each.</returns>
    public ReadOnlySpan<Fault> Run(Qcow2Device device, ReadOnlySpan<BlockRequest> requests)
    {
        _left = (uint)requests.Length;
        for (int i = 0; i < requests.Length; i++)
        {
            BlockRequest request = requests[i];
            (request.Owner, request.UserData) = (this, (ulong)i);
            request.Buffer += _region.Start + GuardBytes;
            device.Submit(request);
        }
        Settle(device, () => _left == 0);
        return _faults.AsSpan(0, requests.Length);
    }

    public Fault Run(Qcow2Device device, BlockOperation operation, ulong offset = 0, ulong length = 0)
    {
        BlockRequest request = default;
        (request.Operation, request.OffsetBytes, request.LengthBytes) = (operation, offset, length);
        request.MapCapacity = operation == BlockOperation.Map ? 20u : 0;
        return Run(device, [request])[0];
    }

    /// <summary>The disk gets larger, or does not.</summary>
    public Fault Grow(Qcow2Device device, ulong bytes)
    {
        if (!Qcow2Growth.TryCreate(device, bytes, out Qcow2Growth? growth).IsNone)
            return new Fault(FaultKind.Unsupported);
        Fault? end = null;
        if (!device.TryBegin(growth!, fault => end = fault))
            throw new FuzzFailure("an idle image says that it is growing");
        Settle(device, () => end != null);
        return end!.Value.IsNone ? device.Grow(bytes) : end.Value;
    }

    void Settle(Qcow2Device device, Func<bool> isDone)
    {
        _loop.RunUntil(() => isDone() && device.InFlightCount == 0, TurnsMax);
        if (_loop.Reactor.Failure is { } failure)
            throw new FuzzFailure($"the loop has stopped: {failure}");
        bool isBeside =
            _region.Slice(0, GuardBytes).ContainsAnyExcept(Guard)
            || _region.Slice(GuardBytes + BufferBytes, GuardBytes).ContainsAnyExcept(Guard);
        if (isBeside)
            throw new FuzzFailure("bytes are written beside a buffer");
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.Kind is FaultKind.Range or FaultKind.Truncated)
            throw new FuzzFailure($"asks for what is outside of the file: {result.Fault}");
        _faults[userData] = result.Fault;
        MapCount = result.Count;
        _left--;
    }

    /// <summary>Data, zeroes and holes, for an image that has none yet.</summary>
    /// <returns>Its file.</returns>
    public byte[] Fill(byte[] file)
    {
        using Qcow2Device device = TryOpen(
            file,
            new Prng(1),
            isWritten: true,
            keepsBitmaps: false,
            out ImageFile? image
        )!;
        Buffer.Fill(0x5a);
        BlockRequest[] requests =
        [
            Request(BlockOperation.Write, 0, 18_432),
            Request(BlockOperation.Write, 33_280, 1024),
            Request(BlockOperation.WriteZeroes, 49_152, 16_384),
            Request(BlockOperation.Write, 98_304, 4608),
        ];
        foreach (Fault fault in Run(device, requests))
            Check.That(fault.IsNone);
        Check.That(Run(device, BlockOperation.WriteZeroes, 8192, 4096).IsNone);
        Check.That(Run(device, BlockOperation.Flush).IsNone);
        return image!.Content;
    }

    static BlockRequest Request(BlockOperation operation, ulong offset, ulong length)
    {
        BlockRequest request = default;
        (request.Operation, request.OffsetBytes, request.LengthBytes) = (operation, offset, length);
        return request;
    }

    public void Dispose()
    {
        _loop.Dispose();
        _region.Dispose();
    }
}
