// Memory of a stream command as the platform's streams want it. Valid while the command is under way.
using System;
using System.Buffers;
using FastBackup.Ports;

namespace FastBackup.Native.Tls;

/// <summary>Threads: one at a time.</summary>
sealed unsafe class BorrowedMemory : MemoryManager<byte>
{
    nint _start;
    int _lengthBytes;

    /// <summary>At most so much of a command's buffer: the rest is for the next one.</summary>
    const ulong BytesMax = 1 << 20;

    public Memory<byte> Of(in StreamCommand command)
    {
        _start = command.Buffer;
        _lengthBytes = (int)Math.Min(command.LengthBytes, BytesMax);
        return CreateMemory(_lengthBytes);
    }

    // SAFETY: whoever pushed the command owns so many bytes there until its completion.
    public override Span<byte> GetSpan() => new((void*)_start, _lengthBytes);

    // SAFETY: as GetSpan; it never moves.
    public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)_start + elementIndex);

    public override void Unpin() { }

    protected override void Dispose(bool disposing) { }
}
