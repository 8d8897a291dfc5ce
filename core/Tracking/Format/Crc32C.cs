// CRC-32C (Castagnoli), as iSCSI and ext4 use it: one instruction a word where the processor has it.
// Finds every error of up to 5 bits in 4 KiB; says nothing about who wrote the bytes.
// Source: RFC 3720, 12.1 and B.4 (the test values).
using System;
using System.Buffers.Binary;
using System.Numerics;

namespace FastBackup.Tracking.Format;

static class Crc32C
{
    /// <summary>Threads: any. Cost: about 1 ns per 8 bytes.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (byte one in bytes)
            crc = BitOperations.Crc32C(crc, one);
        return ~crc;
    }
}
