// A new image as the target of a backup: what is written comes back through our reader and QEMU's, its tables agree,
// and before the seal it is no image, wherever the power is cut.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Formats.Qcow2;
using FastBackup.Memory;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

public sealed class NewImageTests : IBlockOwner, IDisposable
{
    const int DiskBytes = (2 << 20) + 512;

    readonly SimulatedLoop _loop = new(1);
    readonly AlignedRegion _buffer = AlignedRegion.Map(4 << 20, RegionResidency.Resident);
    int _left;
    Fault _fault;

    public void Dispose()
    {
        _loop.Dispose();
        _buffer.Dispose();
    }

    [Fact]
    public void RandomWrites_ComeBack() =>
        TestSeed.ForEach(
            30,
            seed =>
            {
                using RecordedDevice file = New(DiskBytes, out MemoryDevice memory, out Qcow2NewImage image);
                byte[] expected = new byte[DiskBytes];
                Write(image, new Prng(seed), expected);
                Run(image, BlockOperation.Flush, 0, 0, BlockFlags.Seal);
                AssertImage(memory.Content(0, (int)image.EndBytes).ToArray(), expected);
            }
        );

    [Theory]
    [InlineData(512)]
    [InlineData(65536)]
    [InlineData(DiskBytes)]
    public void QemuReadsTheSame_AndFindsNothing(int size)
    {
        Requires.Command("qemu-img");
        using TempFolder folder = new();
        using RecordedDevice file = New(size, out MemoryDevice memory, out Qcow2NewImage image);
        byte[] expected = new byte[size];
        Write(image, new Prng(TestSeed.Next()), expected);
        Run(image, BlockOperation.Flush, 0, 0, BlockFlags.Seal);
        File.WriteAllBytes(folder["new.qcow2"], memory.Content(0, (int)image.EndBytes).ToArray());
        File.WriteAllBytes(folder["expected"], expected);
        Tool.Run("qemu-img", "check", "-q", folder["new.qcow2"]);
        Tool.Run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", folder["new.qcow2"], folder["expected"]);
    }

    /// <summary>In whatever order a disk takes what was not flushed: the header comes behind a flush.</summary>
    [Fact]
    public void APowerCut_LeavesTheWholeImageOrNone()
    {
        Prng chance = new(TestSeed.Next());
        using RecordedDevice file = New(DiskBytes, out _, out Qcow2NewImage image);
        byte[] expected = new byte[DiskBytes];
        Write(image, chance, expected);
        Run(image, BlockOperation.Flush, 0, 0); // as in the middle of a job
        Write(image, chance, expected);
        Run(image, BlockOperation.Flush, 0, 0, BlockFlags.Seal);
        int whole = 0;
        for (int step = 0; step <= file.StepCount; step++)
        for (int i = 0; i < 3; i++)
        {
            byte[] cut = file.Cut(step, (int)image.EndBytes, chance);
            if (!cut.AsSpan(0, 4096).ContainsAnyExcept((byte)0))
                continue;
            AssertImage(cut, expected);
            whole++;
        }
        Assert.InRange(whole, 1, 9);
    }

    [Fact]
    public void WhatIsSealed_TakesNoMore()
    {
        using RecordedDevice file = New(DiskBytes, out _, out Qcow2NewImage image);
        Run(image, BlockOperation.Write, DiskBytes - 512, 512);
        Run(image, BlockOperation.Write, DiskBytes, 512, fault: FaultKind.Range);
        Run(image, BlockOperation.Read, 0, 512, fault: FaultKind.Unsupported);
        Run(image, BlockOperation.Flush, 0, 0, BlockFlags.Seal);
        Run(image, BlockOperation.Write, 0, 512, fault: FaultKind.State);
        Run(image, BlockOperation.Flush, 0, 0, BlockFlags.Seal, FaultKind.State);
    }

    RecordedDevice New(int size, out MemoryDevice memory, out Qcow2NewImage image)
    {
        NewImageShape shape = new((ulong)size);
        memory = new MemoryDevice(_loop.Reactor, "file", shape.FileBytesMax);
        RecordedDevice file = new(memory);
        image = new Qcow2NewImage(_loop.Reactor, file, shape);
        return file;
    }

    static void AssertImage(byte[] file, byte[] expected)
    {
        FileImage reader = new(file);
        Assert.True(Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone);
        CheckFindings findings = Qcow2Check.Run(reader, header!);
        Assert.Equal((null, 0ul, 0ul), (findings.Incomplete, findings.Corruptions, findings.Leaks));
        Assert.Equal((ulong)file.Length, findings.EndBytes);
        byte[] got = new byte[expected.Length];
        using MemoryImage image = new();
        Assert.Null(image.TryRead(file, [], got));
        int count = Math.Min(got.Length, MemoryImage.BufferBytes);
        Assert.True(expected.AsSpan(0, count).SequenceEqual(got.AsSpan(0, count)), "other bytes");
    }

    /// <summary>As a copy does: pieces of 4 KiB and more in any order, many at once, some twice, and zeroes.</summary>
    void Write(Qcow2NewImage image, Prng chance, byte[] expected)
    {
        _fault = Fault.None;
        int at = 0;
        for (int i = 0; i < 40; i++)
        {
            int offset = (int)chance.Below((ulong)expected.Length / 512) * 512;
            int length = Math.Min(expected.Length - offset, 512 * (1 + (int)chance.Below(160)));
            if (at + length > (int)_buffer.LengthBytes)
                break;
            bool isZero = chance.Below(5) == 0;
            Span<byte> bytes = _buffer.Slice((ulong)at, length);
            chance.Fill(bytes);
            if (isZero)
                bytes.Clear();
            bytes.CopyTo(expected.AsSpan(offset));
            Submit(
                image,
                isZero ? BlockOperation.WriteZeroes : BlockOperation.Write,
                (ulong)offset,
                (ulong)length,
                BlockFlags.None,
                at
            );
            at += length;
        }
        _loop.RunUntil(() => _left == 0);
        Assert.True(_fault.IsNone, _fault.ToString());
    }

    void Run(
        Qcow2NewImage image,
        BlockOperation operation,
        ulong offset,
        ulong length,
        BlockFlags flags = BlockFlags.None,
        FaultKind fault = FaultKind.None
    )
    {
        _fault = Fault.None;
        Submit(image, operation, offset, length, flags, 0);
        _loop.RunUntil(() => _left == 0);
        Assert.Equal(fault, _fault.Kind);
    }

    void Submit(Qcow2NewImage image, BlockOperation operation, ulong offset, ulong length, BlockFlags flags, int at)
    {
        _left++;
        image.Submit(
            new BlockRequest
            {
                Operation = operation,
                Flags = flags,
                OffsetBytes = offset,
                LengthBytes = length,
                Buffer = _buffer.Start + at,
                Owner = this,
            }
        );
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsFault)
            _fault = result.Fault;
        _left--;
    }
}
