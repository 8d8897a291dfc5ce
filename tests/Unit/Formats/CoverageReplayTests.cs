// What driving by coverage (tests/Fuzz --end image) has found, each in its smallest form.
using System;
using System.Buffers.Binary;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Memory;
using FastBackup.Tests.Images;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

public sealed class CoverageReplayTests
{
    const int DiskBytes = 64 << 10;

    /// <summary>Of clusters of 512 bytes and counts of one bit: a block counts 4096 clusters, all of them as used, in a
    /// file of a few.</summary>
    static byte[] FullBehindItsEnd()
    {
        byte[] file = new EmptyImage(9, 0, 3, HasSubclusters: false, DiskBytes, BackingBytes: 0).ToBytes();
        file.AsSpan(1024, 512).Fill(0xff);
        return file;
    }

    /// <summary>The file was made longer cluster by cluster, with a write each: of large clusters for days.</summary>
    [Fact]
    public void CountsBehindTheEnd_AreFullOfUse_BitmapsPassOverThem()
    {
        byte[] file = FullBehindItsEnd();
        MemoryFile memory = new(file, file.Length + (4 << 20));
        using HierarchicalBitmap bits = HierarchicalBitmap.Create(DiskBytes, 512);
        Assert.True(bits.Set(0, 512).IsNone);
        OpenRefusal refusal = BitmapStoring.TryStore(memory, "image", true, [new StoredBitmap("b", true, bits)]);
        Assert.True(refusal.IsNone, refusal.Sentence);
        Assert.InRange(memory.StepCount, 1, 40);
        Assert.True(Qcow2Tables.TryReadHeader(memory, "image", out Qcow2Header? header).IsNone);
        Assert.Equal(0ul, Qcow2Check.Run(memory, header!).Corruptions);
    }

    /// <summary>The same, for a guest's write.</summary>
    [Fact]
    public void CountsBehindTheEnd_AreFullOfUse_WritesPassOverThem()
    {
        byte[] file = FullBehindItsEnd();
        Assert.Equal(Fault.None, Write(ref file, out int steps));
        Assert.InRange(steps, 1, 40);
        FileImage after = new(file);
        Assert.True(Qcow2Tables.TryReadHeader(after, "image", out Qcow2Header? header).IsNone);
        Assert.Equal(0ul, Check(after, header!).Corruptions);
    }

    /// <summary>The first sector of the disk.</summary>
    /// <param name="file">Of the image; then as it is afterwards.</param>
    /// <param name="steps">Writes and flushes of the file.</param>
    static Fault? Write(ref byte[] file, out int steps)
    {
        FileImage reader = new(file);
        using SimulatedLoop loop = new(1);
        Assert.True(Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone);
        Assert.True(Qcow2Tables.TryReadL1(reader, header!, "image", out NativeArray<ulong>? l1).IsNone);
        Assert.True(WritableParts.TryRead(reader, header!, l1!, "image", (true, 512), out var writable).IsNone);
        int count = 0;
        ImageFile image = new(loop.Reactor, file, new Prng(1)) { OnStep = () => count++ };
        Qcow2Parts parts = new()
        {
            File = image,
            Header = header!,
            L1 = l1!,
            Writable = writable,
        };
        using Qcow2Device device = new(loop.Reactor, "image", parts);
        using AlignedRegion buffer = AlignedRegion.Map(4096, RegionResidency.Resident);
        Ended owner = new();
        BlockRequest request = new()
        {
            Operation = BlockOperation.Write,
            LengthBytes = 512,
            Buffer = buffer.Start,
        };
        (request.Owner, request.Flags) = (owner, BlockFlags.Fua);
        device.Submit(request);
        loop.RunUntil(() => device.InFlightCount == 0);
        (file, steps) = (image.Content, count);
        return owner.Fault;
    }

    /// <summary>Extensions follow it, aligned from the file's beginning to some and from the header's end to others:
    /// what one stores in it another reads as something else.</summary>
    [Theory]
    [InlineData(113, false)]
    [InlineData(108, false)]
    [InlineData(120, true)]
    public void AHeaderOfOddLength_IsRefused(int bytes, bool isTaken)
    {
        byte[] file = new EmptyImage(9, 4, 3, HasSubclusters: false, DiskBytes, BackingBytes: 0).ToBytes();
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(100), (uint)bytes);
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(new FileImage(file), "image", out _);
        Assert.Equal(isTaken, refusal.IsNone);
        if (!isTaken)
            Assert.Contains("no multiple of 8", refusal.Sentence);
    }

    /// <summary>It is used, and not counted: that was not seen, because it is behind the last cluster of the file.
    /// </summary>
    [Fact]
    public void APackedClusterAtTheEndOfTheFile_IsCorrupt()
    {
        byte[] file = WithTable(out int table);
        FileImage reader = new(file);
        Assert.True(Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone);
        Assert.Equal((0ul, 0ul), Check(reader, header!));
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(table), 1UL << 62 | (uint)file.Length);
        Assert.Equal((1ul, 0ul), Check(reader, header!));
    }

    /// <summary>Its place lost a reference, and what was the header's or a table's was free: then nothing was found
    /// that is, without end, or a table was written over.</summary>
    [Theory]
    [InlineData(1UL << 62)] // the header
    [InlineData(1UL << 62 | 3 * 512)] // the L1 table
    [InlineData(1UL << 62 | 1UL << 61 | 512)] // on the way from one to another
    [InlineData(3 * 512)]
    public void AnEntryThatNamesATable_IsRefusedByAWrite(ulong entry)
    {
        byte[] file = WithTable(out int table);
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(table), entry);
        byte[] before = [.. file];
        Assert.Equal(FaultKind.Io, Write(ref file, out _)!.Value.Kind);
        Assert.Equal(before.AsSpan(512).ToArray(), file.AsSpan(512, before.Length - 512).ToArray());
    }

    /// <summary>The counts are where the disk's first cluster is, and say that all is used often enough: a write
    /// changes both.</summary>
    [Fact]
    public void ABlockOfCountsThatIsDataAsWell_IsCorrupt_AndNotWrittenTo()
    {
        byte[] file = WithTable(out int table);
        file.AsSpan(1024, 512).Fill(3);
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(3 * 512), (uint)table);
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(table), 1024);
        FileImage reader = new(file);
        Assert.True(Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone);
        Assert.Equal(1ul, Check(reader, header!).Corruptions);
        Assert.True(Qcow2Tables.TryReadL1(reader, header!, "image", out NativeArray<ulong>? l1).IsNone);
        OpenRefusal refusal = WritableParts.TryRead(reader, header!, l1!, "image", (true, null), out _);
        Assert.Contains("that it counts 771 times", refusal.Sentence);
        l1!.Dispose();
    }

    /// <summary>QEMU does not read an image with such a table, whatever the bitmap is called.</summary>
    [Theory]
    [InlineData((byte)'b')]
    [InlineData((byte)0)] // no text: the bitmap is of no use
    public void ATableOfABitmapThatLeavesTheFile_OrIsTooLong_IsWrong(byte name)
    {
        byte[] file = new EmptyImage(9, 4, 3, HasSubclusters: false, DiskBytes, BackingBytes: 0).ToBytes();
        MemoryFile memory = new(file, file.Length + (4 << 20));
        using HierarchicalBitmap bits = HierarchicalBitmap.Create(DiskBytes, 512);
        Assert.True(BitmapStoring.TryStore(memory, "image", true, [new StoredBitmap("b", true, bits)]).IsNone);
        file = [.. memory.Content];
        FileImage reader = new(file);
        Assert.True(Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone);
        int directory = (int)header!.Bitmaps!.DirectoryOffsetBytes;
        file[directory + Qcow2Bitmap.FixedBytes] = name;
        Assert.Null(BitmapReading.WhatIsWrong(reader, header));
        file[directory + 11] = 2; // one entry too many
        Assert.NotNull(BitmapReading.WhatIsWrong(reader, header));
        file[directory + 11] = 1;
        file[directory + 5] = 16; // 1 MiB
        Assert.NotNull(BitmapReading.WhatIsWrong(reader, header));
    }

    /// <summary>So does QEMU not open it.</summary>
    [Fact]
    public void ASnapshotWithTooMuchBesideIt_IsWrong()
    {
        byte[] file = WithTable(out int table);
        file[63] = 1;
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(64), (uint)table);
        Array.Resize(ref file, table + 4096);
        FileImage reader = new(file);
        Assert.True(Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone);
        Assert.Null(Qcow2Snapshot.WhatIsWrong(reader, header!));
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(table + 36), 1025);
        Assert.NotNull(Qcow2Snapshot.WhatIsWrong(reader, header!));
    }

    /// <summary>An image with an L2 table, which is empty and lies last.</summary>
    static byte[] WithTable(out int table)
    {
        byte[] file = new EmptyImage(9, 4, 3, HasSubclusters: false, DiskBytes, BackingBytes: 0).ToBytes();
        table = file.Length;
        Array.Resize(ref file, table + 512);
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(3 * 512), 1UL << 63 | (uint)table);
        file[1024 + table / 512 * 2 + 1] = 1;
        return file;
    }

    static (ulong Corruptions, ulong Leaks) Check(FileImage reader, Qcow2Header header)
    {
        CheckFindings findings = Qcow2Check.Run(reader, header);
        Assert.Null(findings.Incomplete);
        return (findings.Corruptions, findings.Leaks);
    }

    sealed class Ended : IBlockOwner
    {
        public Fault? Fault { get; private set; }

        public void OnBlockCompleted(ulong userData, in BlockResult result) => Fault = result.Fault;
    }
}
