// A file in memory, for what reads and writes by calls; it remembers what was written between which flushes, so that a
// test can cut the power anywhere. It may become so long and no longer.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Formats;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

sealed class MemoryFile(byte[] content, int lengthMax) : IImageFile
{
    const int SectorBytes = 512;

    readonly byte[] _original = (byte[])content.Clone();
    readonly List<(int Offset, byte[]? Bytes)> _steps = []; // null: a flush
    byte[] _content = (byte[])content.Clone();

    public ulong SizeBytes => (ulong)_content.Length;

    public int StepCount => _steps.Count;

    public byte[] Content => _content;

    public Fault Read(ulong offsetBytes, Span<byte> bytes)
    {
        Assert.True(new Extent(offsetBytes, (ulong)bytes.Length).IsWithin(SizeBytes), "read outside the file");
        _content.AsSpan((int)offsetBytes, bytes.Length).CopyTo(bytes);
        return Fault.None;
    }

    public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        Assert.True(new Extent(offsetBytes, (ulong)bytes.Length).IsWithin((ulong)lengthMax), "written far outside");
        _steps.Add(((int)offsetBytes, bytes.ToArray()));
        Put(ref _content, (int)offsetBytes, bytes);
        return Fault.None;
    }

    public Fault Flush()
    {
        _steps.Add((0, null));
        return Fault.None;
    }

    /// <summary>After a power cut: what was flushed before is there, of the rest any sectors are.</summary>
    /// <param name="stepCount">That had been asked for.</param>
    /// <param name="chance">Which sectors.</param>
    public byte[] Cut(int stepCount, Prng chance)
    {
        byte[] file = (byte[])_original.Clone();
        int flushed = stepCount == 0 ? -1 : _steps.FindLastIndex(stepCount - 1, one => one.Bytes == null);
        for (int i = 0; i < stepCount; i++)
        {
            if (_steps[i].Bytes is not { } bytes)
                continue;
            if (i < flushed)
                Put(ref file, _steps[i].Offset, bytes);
            for (int at = 0; i > flushed && at < bytes.Length; at += SectorBytes)
                if (chance.Below(2) == 0)
                    Put(ref file, _steps[i].Offset + at, bytes.AsSpan(at, Math.Min(SectorBytes, bytes.Length - at)));
        }
        return file;
    }

    static void Put(ref byte[] file, int offset, ReadOnlySpan<byte> bytes)
    {
        if (offset + bytes.Length > file.Length)
            Array.Resize(ref file, offset + bytes.Length);
        bytes.CopyTo(file.AsSpan(offset));
    }
}
