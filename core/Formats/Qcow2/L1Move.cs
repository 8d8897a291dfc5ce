// An L1 table on its way to a longer place: where that is, and the bytes that are written there, as they were when the
// commit began that moves it. Memory: the table, until it is disposed.
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class L1Move : IDisposable
{
    const ulong PieceBytes = Units.MiB;

    readonly AlignedRegion _bytes;

    /// <param name="bytes">Whole clusters; owned from here.</param>
    public L1Move(AlignedRegion bytes) => _bytes = bytes;

    /// <summary>The place, which is counted; set once.</summary>
    public ulong HostBytes { get; set; }

    /// <summary>Entries, from the commit on.</summary>
    public uint Count { get; private set; }

    /// <summary>It is written by so many requests.</summary>
    public int PieceCount => (int)Units.DivCeil(_bytes.LengthBytes, PieceBytes);

    /// <returns>How many requests it will take.</returns>
    public int Capture(NativeArray<ulong> table)
    {
        // One that was made for a still larger disk, which came to nothing, has more of them: all zero.
        int lengthBytes = (int)_bytes.LengthBytes;
        Span<byte> entries = MemoryMarshal.AsBytes(table.AsSpan());
        entries = entries[..Math.Min(entries.Length, lengthBytes)];
        entries.CopyTo(_bytes.Slice(0, lengthBytes));
        Count = (uint)(entries.Length / sizeof(ulong));
        return PieceCount;
    }

    public (ulong HostBytes, nint Buffer, ulong LengthBytes) Piece(int number)
    {
        ulong at = (ulong)number * PieceBytes;
        return (HostBytes + at, _bytes.Start + (nint)at, Math.Min(PieceBytes, _bytes.LengthBytes - at));
    }

    /// <summary>Of a loop that has stopped: the device may still read it.</summary>
    public void Leak() => _bytes.Leak();

    public void Dispose() => _bytes.Dispose();
}
