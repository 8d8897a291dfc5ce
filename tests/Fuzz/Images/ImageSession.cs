// One image of which anything may be wrong, from end to end: its lists, its check, its disk read and mapped, written to
// and made larger in place, its bitmaps stored. Whatever it says there is an answer. Where the check finds nothing
// worse than leaks, more is asked: what was written is read, and the check finds nothing worse afterwards.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Ports;
using FastBackup.Tests.Images;

namespace FastBackup.Tests.Fuzz.Images;

/// <summary>Threads: one.</summary>
sealed class ImageSession(ImageWork work)
{
    /// <summary>To read one: tables that a file of some KiB can ask for, and copies of it.</summary>
    const long AllocatedMax = 16 << 20;

    const ulong BitmapDiskBytesMax = 1UL << 40;
    const int MapsMax = 64;
    const int RoundCount = 6;
    const ulong NearBytes = 200 << 10; // where the originals have their data
    const ulong GrowthBytesMax = 100 << 10;

    ulong _readCount;
    ulong _cleanCount;
    ulong _writtenCount;
    ulong _storedCount;
    long _allocatedMost;

    public string Words =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{_readCount} opened, {_cleanCount} of them right, {_writtenCount} written to, "
                + $"{_storedCount} got bitmaps; at most {_allocatedMost >> 10} KiB to read one"
        );

    /// <param name="file">All of the image's.</param>
    /// <param name="chance">Of what is done.</param>
    /// <param name="isTorn">Its storage fails in the middle.</param>
    public void Run(byte[] file, Prng chance, bool isTorn)
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        MemoryFile reader = new(file);
        if (!Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone)
            return;
        CheckFindings before = Qcow2Check.Run(reader, header!);
        bool isClean = before.Incomplete == null && before.Corruptions == 0;
        _ = Qcow2Snapshot.TryReadAll(reader, header!, out _, out _);
        ReadBitmaps(reader, header!);
        DiskModel? model = Read(file, chance, isClean);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        _allocatedMost = Math.Max(_allocatedMost, allocated);
        if (allocated > AllocatedMax)
            throw new FuzzFailure($"{allocated} bytes are allocated to read an image of {file.Length} bytes");
        byte[]? after = Write(file, chance, isTorn, isClean, model);
        Store(after ?? file, chance, isClean);
    }

    /// <summary>What is right about all of them can be read.</summary>
    static void ReadBitmaps(MemoryFile reader, Qcow2Header header)
    {
        if (header.SizeBytes > BitmapDiskBytesMax || BitmapReading.WhatIsWrong(reader, header) != null)
            return;
        _ = Qcow2Bitmap.TryReadAll(reader, header, out List<Qcow2Bitmap> all);
        foreach (Qcow2Bitmap bitmap in all)
        {
            bool isRead = BitmapReading.TryRead(reader, header, "image", bitmap, out HierarchicalBitmap? bits).IsNone;
            bits?.Dispose();
            if (isRead != (bitmap.UselessBecause == null))
                throw new FuzzFailure($"bitmap '{bitmap.Name}' is right, and is not");
        }
    }

    /// <summary>Its beginning, its end and its map.</summary>
    /// <returns>The disk of one that is right and small; else null.</returns>
    DiskModel? Read(byte[] file, Prng chance, bool isClean)
    {
        using Qcow2Device? device = work.TryOpen(file, chance, isWritten: false, keepsBitmaps: false, out _);
        if (device == null)
            return null;
        _readCount++;
        _cleanCount += isClean ? 1u : 0;
        ulong capacity = device.Limits.CapacityBytes;
        ulong length = Math.Min(capacity, ImageWork.BufferBytes);
        bool isRead = ReadPieces(device, 0, length);
        bool isModel = isRead && isClean && length == capacity && length % 512 == 0;
        DiskModel? model = isModel ? new DiskModel(work.Buffer[..(int)length]) : null;
        if (capacity > length)
            _ = ReadPieces(device, capacity - length / 2, length / 2);
        Map(device);
        return model;
    }

    bool ReadPieces(Qcow2Device device, ulong offset, ulong length)
    {
        const ulong pieceBytes = 40_000;
        List<BlockRequest> requests = [];
        for (ulong at = 0; at < length; at += pieceBytes)
            requests.Add(
                new BlockRequest
                {
                    Operation = BlockOperation.Read,
                    OffsetBytes = offset + at,
                    LengthBytes = Math.Min(pieceBytes, length - at),
                    Buffer = (nint)at,
                }
            );
        bool isRead = true;
        foreach (Fault fault in work.Run(device, requests.ToArray()))
            isRead &= fault.IsNone;
        return isRead;
    }

    void Map(Qcow2Device device)
    {
        ulong capacity = device.Limits.CapacityBytes;
        ulong at = 0;
        for (int answer = 0; answer < MapsMax && at < capacity; answer++)
        {
            if (work.Run(device, BlockOperation.Map, at, capacity - at).IsFault)
                return;
            ReadOnlySpan<MapEntry> entries = MemoryMarshal.Cast<byte, MapEntry>(work.Buffer);
            bool isRight = work.MapCount is > 0 and <= 20;
            for (int i = 0; isRight && i < work.MapCount; i++)
            {
                (ulong offset, ulong length) = (entries[i].OffsetBytes, entries[i].LengthBytes);
                isRight = offset == at && length > 0 && length <= capacity - at;
                at += length;
            }
            if (!isRight)
                throw new FuzzFailure($"a map with {work.MapCount} entries does not go on at {at}");
        }
    }

    /// <returns>The file afterwards, closed; null: it is not written to.</returns>
    byte[]? Write(byte[] file, Prng chance, bool isTorn, bool isClean, DiskModel? model)
    {
        bool keepsBitmaps = chance.Below(2) == 0;
        using Qcow2Device? device = work.TryOpen(file, chance, isWritten: true, keepsBitmaps, out ImageFile? image);
        if (device == null)
            return null;
        _writtenCount++;
        bool isWhole = true;
        for (int round = 0; round < RoundCount; round++)
        {
            if (round == RoundCount / 2 && isTorn)
                image!.Trouble = new Fault(FaultKind.Io, Errnos.EIO);
            isWhole &= round == RoundCount / 3 ? Grow(device, chance, model) : Round(device, chance, model);
        }
        isWhole &= work.Run(device, BlockOperation.Flush).IsNone;
        if (!isTorn && device.FailedBecause is { } failed)
            throw new FuzzFailure($"storage that does not fail has failed: {failed}");
        byte[] after = image!.Content;
        if (isClean)
            Judge(device, file, after, isWhole && !isTorn && (keepsBitmaps || device.Header.Bitmaps == null));
        if (model != null && !isTorn)
            Compare(after, chance, model);
        return after;
    }

    bool Grow(Qcow2Device device, Prng chance, DiskModel? model)
    {
        ulong bytes = (device.NamedBytes / 512 + 1 + chance.Below(GrowthBytesMax / 512)) * 512;
        if (chance.Below(8) == 0 && model == null)
            bytes += chance.Below(1 << 20) * 4096;
        Fault fault = work.Grow(device, bytes);
        if (fault.IsNone)
            model?.Grow((int)bytes);
        return fault.IsNone || fault.Kind == FaultKind.Unsupported;
    }

    bool Round(Qcow2Device device, Prng chance, DiskModel? model)
    {
        BlockRequest[] requests = Requests(device.Limits.CapacityBytes / 512, chance);
        bool isWhole = true;
        ReadOnlySpan<Fault> faults = work.Run(device, requests);
        for (int i = 0; i < requests.Length; i++)
        {
            BlockRequest one = requests[i];
            isWhole &= faults[i].IsNone;
            if (model == null || !one.Operation.IsWrite())
                continue;
            if (faults[i].IsFault || one.Operation == BlockOperation.Discard)
                model.Forget(one.OffsetBytes, one.LengthBytes);
            else if (one.Operation == BlockOperation.WriteZeroes)
                model.Put(one.OffsetBytes, new byte[one.LengthBytes]);
            else
                model.Put(one.OffsetBytes, work.Buffer.Slice((int)one.Buffer, (int)one.LengthBytes));
        }
        return isWhole;
    }

    /// <summary>Of places that do not meet.</summary>
    BlockRequest[] Requests(ulong sectors, Prng chance)
    {
        List<BlockRequest> requests = [];
        int filled = 0;
        for (ulong left = chance.Below(ImageWork.RequestsMax); left > 0; left--)
        {
            BlockRequest request = default;
            ulong what = chance.Below(16);
            request.Operation =
                what < 7 ? BlockOperation.Write
                : what < 10 ? BlockOperation.WriteZeroes
                : what < 12 ? BlockOperation.Discard
                : what < 13 ? BlockOperation.Flush
                : BlockOperation.Read;
            if (sectors > 0 && request.Operation != BlockOperation.Flush)
            {
                ulong first = chance.Below(chance.Below(4) == 0 ? sectors : Math.Min(sectors, NearBytes / 512));
                ulong count = 1 + chance.Below(Math.Min(sectors - first, chance.Below(2) == 0 ? 4u : 80u));
                (request.OffsetBytes, request.LengthBytes) = (first * 512, count * 512);
            }
            if (
                sectors == 0
                || requests.Exists(one => Meet(one, request))
                || filled + (int)request.LengthBytes > ImageWork.BufferBytes
            )
                continue;
            request.Flags = request.Operation.IsWrite() && chance.Below(4) == 0 ? BlockFlags.Fua : BlockFlags.None;
            if (request.Operation == BlockOperation.WriteZeroes && chance.Below(2) == 0)
                request.Flags |= BlockFlags.MayUnmap;
            request.Buffer = filled;
            work.Buffer.Slice(filled, (int)request.LengthBytes).Fill((byte)chance.NextULong());
            filled += (int)request.LengthBytes;
            requests.Add(request);
        }
        return [.. requests];
    }

    static bool Meet(in BlockRequest one, in BlockRequest other) =>
        one.OffsetBytes < other.OffsetBytes + other.LengthBytes
        && other.OffsetBytes < one.OffsetBytes + one.LengthBytes;

    /// <summary>It was right, and is.</summary>
    static void Judge(Qcow2Device device, byte[] before, byte[] after, bool mayNotLeak)
    {
        MemoryFile reader = new(after);
        if (!Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone)
            throw new FuzzFailure("a right image has no header any more");
        CheckFindings findings = Qcow2Check.Run(reader, header!);
        string words = string.Join("; ", findings.Sentences);
        if (IsHarmed(findings))
            throw new FuzzFailure($"a right image was made corrupt: {findings.Incomplete} {words}");
        if (mayNotLeak && findings.Leaks > 0 && findings.Leaks > LeaksOf(before, after.Length))
            throw new FuzzFailure($"a right image leaks: {words}");
        if (header!.SizeBytes != device.NamedBytes)
            throw new FuzzFailure($"a disk of {device.NamedBytes} bytes is named with {header.SizeBytes}");
    }

    /// <summary>Where a disk had a cluster twice and has lost one of them, the other does not say that it is the last:
    /// no writer makes such disks, and nothing is lost.</summary>
    static bool IsHarmed(CheckFindings findings) =>
        findings.Incomplete != null
        || findings.Corruptions
            > (ulong)findings.Sentences.Count(one => one.Contains(" does not say that ", StringComparison.Ordinal));

    /// <summary>With those that are seen only when the file is longer.</summary>
    static ulong LeaksOf(byte[] file, int length)
    {
        byte[] longer = new byte[Math.Max(file.Length, length)];
        file.CopyTo(longer, 0);
        MemoryFile reader = new(longer);
        Check.That(Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone);
        return Qcow2Check.Run(reader, header!).Leaks;
    }

    void Compare(byte[] after, Prng chance, DiskModel model)
    {
        using Qcow2Device? device = work.TryOpen(after, chance, isWritten: false, keepsBitmaps: false, out _);
        if (device == null)
            throw new FuzzFailure("a right image is refused after it was written to");
        ulong length = Math.Min((ulong)model.Bytes, device.Limits.CapacityBytes);
        if (length > ImageWork.BufferBytes || length != (ulong)model.Bytes)
            return;
        if (!ReadPieces(device, 0, length))
            throw new FuzzFailure($"a right image cannot be read after it was written to: {device.CorruptBecause}");
        model.Compare(work.Buffer[..(int)length]);
    }

    /// <summary>In place of whatever bitmaps there are, or beside them.</summary>
    void Store(byte[] file, Prng chance, bool isClean)
    {
        MemoryFile memory = new([.. file]);
        bool isThere = Qcow2Tables.TryReadHeader(memory, "image", out Qcow2Header? header).IsNone;
        if (!isThere || header!.SizeBytes is 0 or > BitmapDiskBytesMax)
            return;
        if (Qcow2Bitmap.TryReadAll(memory, header, out List<Qcow2Bitmap> kept) != null)
            return;
        using HierarchicalBitmap bits = HierarchicalBitmap.Create(header.SizeBytes, 512UL << (int)chance.Below(10));
        Check.That(bits.Set(0, 1 + chance.Below(header.SizeBytes)).IsNone);
        List<StoredBitmap> wanted = [new("new", true, bits)];
        foreach (Qcow2Bitmap one in kept)
            if (one.Name != "new" && chance.Below(2) == 0)
                wanted.Add(new StoredBitmap(one.Name, one.IsRecording, null, one));
        bool isStored = BitmapStoring.TryStore(memory, "image", chance.Below(4) > 0, wanted).IsNone;
        _storedCount += isStored ? 1u : 0;
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(memory, "image", out header);
        if (!refusal.IsNone)
            throw new FuzzFailure($"an image has lost its header by bitmaps: {refusal.Sentence}");
        CheckFindings findings = Qcow2Check.Run(memory, header!);
        if (isClean && IsHarmed(findings))
            throw new FuzzFailure($"bitmaps made a right image corrupt: {string.Join("; ", findings.Sentences)}");
        if (!isStored)
            return;
        if (Qcow2Bitmap.TryReadAll(memory, header!, out kept) is { } wrong)
            throw new FuzzFailure($"stored bitmaps cannot be read: {wrong}");
        if (!BitmapReading.TryRead(memory, header!, "image", kept[0], out HierarchicalBitmap? read).IsNone)
            throw new FuzzFailure("a stored bitmap cannot be read");
        using HierarchicalBitmap again = read!;
        if (!again.Equal(bits))
            throw new FuzzFailure("a stored bitmap reads as another");
    }
}
