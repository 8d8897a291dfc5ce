// A guest that needs no system: the first sector of its disk, which the BIOS starts, writes one sector after the other
// for ever, each once the one before it has landed, and each begins with its own number. So of every instant it is
// known what the disk was like: so many sectors written, in order, and all others as they were.
using System;
using System.Buffers.Binary;
using Xunit;

namespace FastBackup.Tests.Cli.Command;

/// <summary>Threads: any.</summary>
static class WritingGuest
{
    public const uint First = 2048;

    const int SectorBytes = 512;
    const int DiskBytes = 256 << 20;
    const int AddressBytes = 0x7C00; // where the BIOS puts the sector
    const int RequestAt = 0x40; // in the sector: what the BIOS is asked for

    /// <summary>Random but for the first sector.</summary>
    public static byte[] MakeDisk()
    {
        byte[] disk = new byte[DiskBytes];
        new Random(1).NextBytes(disk);
        disk.AsSpan(0, SectorBytes).Clear();
        Program().CopyTo(disk, 0);
        (disk[SectorBytes - 2], disk[SectorBytes - 1]) = (0x55, 0xAA);
        return disk;
    }

    /// <summary>How many sectors were written; anything that is no instant of the guest fails.</summary>
    public static uint CountOf(byte[] disk, byte[] before)
    {
        uint count = 0;
        while (Number(disk, First + count) == First + count)
            count++;
        Span<byte> unwritten = disk.AsSpan((int)(First + count) * SectorBytes);
        Assert.True(
            unwritten.SequenceEqual(before.AsSpan(^unwritten.Length)),
            $"no instant of it, after {count} sectors"
        );
        Assert.True(disk.AsSpan(0, (int)First * SectorBytes).SequenceEqual(before.AsSpan(0, (int)First * SectorBytes)));
        return count;
    }

    static uint Number(byte[] disk, uint sector) =>
        BinaryPrimitives.ReadUInt32LittleEndian(disk.AsSpan((int)sector * SectorBytes));

    /// <summary>Source: BIOS interrupt 13h, function 43h, extended write, in 16-bit code.</summary>
    static byte[] Program()
    {
        (byte low, byte high) = ((byte)(AddressBytes + RequestAt & 0xFF), (byte)(AddressBytes + RequestAt >> 8));
        byte number = (byte)(low + 8); // of the next sector, in the request
        byte[] code =
        [
            .. (byte[])[0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0x8E, 0xD0, 0xBC, 0x00, 0x7C, 0xFB], // segments and stack
            .. (byte[])[0x66, 0xA1, number, high], // next: eax = number
            .. (byte[])[0x66, 0xA3, 0x00, 0x80], // the sector begins with it
            .. (byte[])[0xBE, low, high, 0xB8, 0x00, 0x43, 0xCD, 0x13], // write it
            .. (byte[])[0x66, 0xFF, 0x06, number, high], // number + 1
            .. (byte[])[0xEB, 0xE9], // next
        ];
        byte[] sector = new byte[RequestAt + 16];
        code.CopyTo(sector, 0);
        byte[] request = [16, 0, 1, 0, 0x00, 0x80, 0, 0]; // its size; one sector, at 0000:8000
        request.CopyTo(sector, RequestAt);
        BinaryPrimitives.WriteUInt32LittleEndian(sector.AsSpan(RequestAt + 8), First);
        return sector;
    }
}
