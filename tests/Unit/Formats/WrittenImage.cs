// A new image over a recorded file in memory: a test's requests to it, and whether what came of them is an image.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Formats.Qcow2;
using FastBackup.Memory;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

sealed class WrittenImage : IBlockOwner, IDisposable
{
    const int BufferBytes = 12 << 20;

    readonly SimulatedLoop _loop = new(1);
    readonly AlignedRegion _buffer = AlignedRegion.Map(BufferBytes, RegionResidency.Resident);
    readonly MemoryDevice _memory;
    int _left;
    Fault _fault;

    public WrittenImage(int size, NewImageOptions? options = null)
    {
        NewImageShape shape = new((ulong)size, options);
        _memory = new MemoryDevice(_loop.Reactor, "file", shape.FileBytesMax);
        File = new RecordedDevice(_memory);
        Image = new Qcow2NewImage(_loop.Reactor, File, shape);
    }

    public RecordedDevice File { get; }

    public Qcow2NewImage Image { get; }

    /// <summary>The file as it is.</summary>
    public byte[] Content() => _memory.Content(0, (int)Image.EndBytes).ToArray();

    public bool HasHeader => _memory.Content(0, 512).ContainsAnyExcept((byte)0);

    /// <summary>Whole, and without a fault of its tables.</summary>
    public static CheckFindings AssertImage(byte[] file, byte[] expected)
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
        return findings;
    }

    /// <summary>As a copy does: pieces in any order, many at once, and zeroes.</summary>
    /// <param name="chance">What.</param>
    /// <param name="expected">The disk, kept up.</param>
    /// <param name="unitBytes">Pieces begin and end on it.</param>
    /// <param name="unitCountMax">Of a piece.</param>
    /// <param name="mayMeet">Two of them may be of one place.</param>
    /// <returns>The last fault.</returns>
    public Fault Write(Prng chance, byte[] expected, int unitBytes, int unitCountMax, bool mayMeet)
    {
        _fault = Fault.None;
        int filled = 0;
        bool[] isTaken = new bool[(expected.Length - 1) / unitBytes + 1];
        for (int i = 0; i < 40; i++)
        {
            int offset = (int)chance.Below((ulong)isTaken.Length) * unitBytes;
            int wanted = unitBytes * (1 + (int)chance.Below((ulong)unitCountMax));
            int length = Math.Min(expected.Length - offset, wanted);
            if (filled + length > BufferBytes)
                break;
            Span<bool> taken = isTaken.AsSpan(offset / unitBytes, (length - 1) / unitBytes + 1);
            if (!mayMeet && taken.Contains(true))
                continue;
            taken.Fill(true);
            Span<byte> bytes = _buffer.Slice((ulong)filled, length);
            bool isZero = chance.Below(5) == 0;
            if (isZero)
                bytes.Clear();
            else
                Fill(bytes, chance);
            bytes.CopyTo(expected.AsSpan(offset));
            BlockOperation operation = isZero ? BlockOperation.WriteZeroes : BlockOperation.Write;
            Submit(operation, (ulong)offset, (ulong)length, BlockFlags.None, filled);
            filled += length;
        }
        _loop.RunUntil(() => _left == 0);
        return _fault;
    }

    /// <summary>Of each piece of 4 KiB as much is random as chance wants, so that some is packed well.</summary>
    static void Fill(Span<byte> bytes, Prng chance)
    {
        bytes.Fill((byte)(1 + chance.Below(255)));
        int randomBytes = (int)chance.Below(3) * 2048;
        for (int at = 0; at < bytes.Length; at += 4096)
            chance.Fill(bytes.Slice(at, Math.Min(randomBytes, bytes.Length - at)));
    }

    /// <summary>One request to its end.</summary>
    public Fault Run(BlockOperation operation, ulong offset, ulong length, BlockFlags flags = BlockFlags.None)
    {
        _fault = Fault.None;
        Submit(operation, offset, length, flags, 0);
        _loop.RunUntil(() => _left == 0);
        return _fault;
    }

    public Fault Seal() => Run(BlockOperation.Flush, 0, 0, BlockFlags.Seal);

    void Submit(BlockOperation operation, ulong offset, ulong length, BlockFlags flags, int at)
    {
        _left++;
        Image.Submit(
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

    public void Dispose()
    {
        Image.DisposeWhenIdle();
        _loop.RunUntil(() => Image.InFlightCount == 0);
        _loop.Dispose();
        _buffer.Dispose();
    }
}
