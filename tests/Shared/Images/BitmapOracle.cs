// The persistent bitmaps of an image in a model: read when it is opened, recorded in before each write, stored when it
// is closed. Of each it is known how the disk was when the bitmap was made, and with that what no file may ever say,
// wherever the power is cut: that a bitmap is right, and that a sector is as it was then, where it is not.
using System;
using System.Collections.Generic;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;
using FastBackup.Tests.Simulated;

namespace FastBackup.Tests.Images;

sealed class BitmapOracle : IDisposable
{
    const int SectorBytes = 512;
    const int CountMax = 3;

    /// <summary>The image's file, for what waits.</summary>
    sealed unsafe class Calls(SimulatedLoop loop, ImageFile file) : IImageFile, IBlockOwner
    {
        Fault? _fault;

        public ulong SizeBytes => file.Limits.CapacityBytes;

        public Fault Read(ulong offsetBytes, Span<byte> bytes)
        {
            fixed (byte* at = bytes) // SAFETY: until the request has ended.
                return Run(BlockOperation.Read, offsetBytes, (nint)at, bytes.Length);
        }

        public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
        {
            ulong end = offsetBytes + (ulong)bytes.Length;
            if (end > SizeBytes && file.Grow(end) is { IsFault: true } fault)
                return fault;
            fixed (byte* at = bytes) // SAFETY: as above.
                return Run(BlockOperation.Write, offsetBytes, (nint)at, bytes.Length);
        }

        public Fault Flush() => Run(BlockOperation.Flush, 0, 0, 0);

        Fault Run(BlockOperation operation, ulong offset, nint buffer, int length)
        {
            BlockRequest request = new()
            {
                Operation = operation,
                OffsetBytes = offset,
                Owner = this,
            };
            (request.Buffer, request.LengthBytes) = (buffer, (ulong)length);
            _fault = null;
            file.Submit(request);
            loop.RunUntil(() => _fault != null);
            return _fault!.Value;
        }

        void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result) => _fault = result.Fault;
    }

    readonly Dictionary<string, byte[]> _disks = []; // when the bitmap was made
    readonly List<(string Name, HierarchicalBitmap Bits)> _recorded = [];
    readonly List<Qcow2Bitmap> _useless = [];
    int _nextNumber;

    /// <summary>How many were stored.</summary>
    public ulong StoredCount { get; private set; }

    /// <summary>The image is open, and nothing was written to it.</summary>
    /// <param name="reader">Of its file.</param>
    /// <param name="header">Its own, of version 3.</param>
    public void Open(IImageReader reader, Qcow2Header header)
    {
        Forget();
        if (Qcow2Bitmap.TryReadAll(reader, header, out List<Qcow2Bitmap> all) is { } wrong)
            throw new ImageModelException(wrong);
        foreach (Qcow2Bitmap one in all)
            if (one.UselessBecause != null)
                _useless.Add(one);
            else
                _recorded.Add((one.Name, Read(reader, header, one)));
    }

    static HierarchicalBitmap Read(IImageReader reader, Qcow2Header header, Qcow2Bitmap bitmap)
    {
        OpenRefusal refusal = BitmapReading.TryRead(reader, header, "image", bitmap, out HierarchicalBitmap? bits);
        return bits ?? throw new ImageModelException(refusal.Sentence);
    }

    /// <summary>Before it is asked for.</summary>
    public void Record(in BlockRequest request)
    {
        foreach ((_, HierarchicalBitmap bits) in _recorded)
            if (bits.Set(request.OffsetBytes, request.LengthBytes).IsFault)
                throw new ImageModelException("a bitmap is shorter than its disk");
    }

    /// <summary>The image was flushed and closed: what was recorded goes to its file, a new one with it.</summary>
    /// <param name="loop">Of the file.</param>
    /// <param name="file">Open.</param>
    /// <param name="canGrow">It may become longer; else there may be no room.</param>
    /// <param name="disk">What it holds now.</param>
    /// <param name="chance">Of what is stored.</param>
    public void Store(SimulatedLoop loop, ImageFile file, bool canGrow, ReadOnlySpan<byte> disk, Prng chance)
    {
        if (_recorded.Count + _useless.Count < CountMax && chance.Below(3) > 0)
        {
            string name = "b" + _nextNumber++.ToString(CultureInfo.InvariantCulture);
            HierarchicalBitmap bits = HierarchicalBitmap.Create((ulong)disk.Length, 512UL << (int)chance.Below(5));
            _disks[name] = disk.ToArray();
            _recorded.Add((name, bits));
        }
        List<StoredBitmap> wanted = _recorded.ConvertAll(one => new StoredBitmap(one.Name, true, one.Bits));
        foreach (Qcow2Bitmap one in _useless)
            if (chance.Below(4) > 0)
                wanted.Add(new StoredBitmap(one.Name, one.IsRecording, null, one));
        OpenRefusal refusal = BitmapStoring.TryStore(new Calls(loop, file), "image", canGrow, wanted);
        if (!refusal.IsNone && canGrow)
            throw new ImageModelException(refusal.Sentence);
        StoredCount += refusal.IsNone ? (ulong)wanted.Count : 0;
    }

    /// <summary>No bitmap that is said to be right says of a sector that has changed that it has not.</summary>
    /// <param name="reader">Of the file, after a power cut or closed.</param>
    /// <param name="disk">What it holds.</param>
    public void Check(IImageReader reader, ReadOnlySpan<byte> disk)
    {
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header);
        if (header == null)
            throw new ImageModelException(refusal.Sentence);
        if (Qcow2Bitmap.TryReadAll(reader, header, out List<Qcow2Bitmap> all) is { } wrong)
            throw new ImageModelException(wrong);
        foreach (Qcow2Bitmap one in all)
        {
            if (one.UselessBecause != null)
                continue;
            using HierarchicalBitmap bits = Read(reader, header, one);
            byte[] then = _disks[one.Name];
            for (int at = 0; at < disk.Length; at += SectorBytes)
            {
                if (disk.Slice(at, SectorBytes).SequenceEqual(then.AsSpan(at, SectorBytes)))
                    continue;
                ulong bit = (ulong)at / bits.GranularityBytes;
                if (bits.NextDirtyBit(bit, bit + 1) == HierarchicalBitmap.NotFound)
                    throw new ImageModelException($"bitmap '{one.Name}' denies that sector {at / 512} has changed");
            }
        }
    }

    void Forget()
    {
        foreach ((_, HierarchicalBitmap bits) in _recorded)
            bits.Dispose();
        _recorded.Clear();
        _useless.Clear();
    }

    public void Dispose() => Forget();
}
