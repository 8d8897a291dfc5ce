// The file of an image in memory, for what reads and writes it by calls. What is asked for outside of it is what is
// looked for. It may become so much longer and then has no room, and is written to a bounded number of times.
using System;
using FastBackup.Base;
using FastBackup.Formats;
using FastBackup.Ports;

namespace FastBackup.Tests.Fuzz.Images;

sealed class MemoryFile(byte[] content) : IImageFile
{
    const ulong LongerByMax = 16 << 20;
    const int WritesMax = 4000;

    readonly ulong _lengthMax = (ulong)content.Length + LongerByMax;
    byte[] _content = content;
    int _writeCount;

    public byte[] Content => _content;

    public ulong SizeBytes => (ulong)_content.Length;

    public Fault Read(ulong offsetBytes, Span<byte> bytes)
    {
        if (!new Extent(offsetBytes, (ulong)bytes.Length).IsWithin(SizeBytes))
            throw new FuzzFailure($"reads {bytes.Length} bytes at {offsetBytes} of a file of {SizeBytes}");
        _content.AsSpan((int)offsetBytes, bytes.Length).CopyTo(bytes);
        return Fault.None;
    }

    public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        if (++_writeCount > WritesMax)
            throw new FuzzFailure($"writes to a file of {SizeBytes} bytes without end");
        if (!new Extent(offsetBytes, (ulong)bytes.Length).IsWithin(_lengthMax))
            return new Fault(FaultKind.NoSpace, Errnos.ENOSPC);
        int end = (int)offsetBytes + bytes.Length;
        if (end > _content.Length)
            Array.Resize(ref _content, end);
        bytes.CopyTo(_content.AsSpan((int)offsetBytes));
        return Fault.None;
    }

    public Fault Flush() => Fault.None;
}
