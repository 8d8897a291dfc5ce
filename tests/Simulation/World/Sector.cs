// The content of a sector names the write it came from: disk, sector number, write sequence, and a hash of the three
// over all the rest, so that a leak, a misdirected write or a torn sector explains itself.
using System;
using System.Globalization;
using System.Runtime.InteropServices;

namespace FastBackup.Tests.Simulation.World;

static class Sector
{
    public const int Bytes = 512;
    const ulong Magic = 0xFB5EC70100000000;

    public static void Fill(Span<byte> bytes, int disk, uint firstSector, uint sequence)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (int i = 0; i + Bytes / 8 <= words.Length; i += Bytes / 8)
        {
            uint sector = firstSector + (uint)(i / (Bytes / 8));
            words[i] = Magic | (uint)disk;
            words[i + 1] = (ulong)sector << 32 | sequence;
            words.Slice(i + 2, Bytes / 8 - 2).Fill(Hash(disk, sector, sequence));
        }
    }

    /// <summary>Whether the sector is one of ours and whole.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out int disk, out uint sector, out uint sequence)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        disk = (int)(words[0] ^ Magic);
        (sector, sequence) = ((uint)(words[1] >> 32), (uint)words[1]);
        return (words[0] & 0xFFFFFFFF00000000) == Magic && !words[2..].ContainsAnyExcept(Hash(disk, sector, sequence));
    }

    public static string Describe(ReadOnlySpan<byte> bytes)
    {
        if (!bytes.ContainsAnyExcept((byte)0))
            return "zeroes";
        return bytes.Length == Bytes && TryRead(bytes, out int disk, out uint sector, out uint sequence)
            ? string.Create(CultureInfo.InvariantCulture, $"write {sequence} of disk {disk} sector {sector}")
            : "mixed bytes " + Convert.ToHexString(bytes[..Math.Min(24, bytes.Length)]);
    }

    static ulong Hash(int disk, uint sector, uint sequence)
    {
        ulong x = ((ulong)sector << 32 | sequence) + (ulong)disk * 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        return (x ^ (x >> 27)) | 1;
    }
}
