// A disk for the demo that looks like a used one: pieces of random data (60 %), written zeroes (20 %) and
// holes (20 %), 64 KiB to 8 MiB long, the same on every machine.
using System;
using System.IO;
using FastBackup.Base;
using Microsoft.Win32.SafeHandles;

namespace FastBackup.Cli;

/// <param name="RandomBytes">Not compressible, not zero.</param>
/// <param name="ZeroBytes">Written as zeroes: they take space in the source and none in the copy.</param>
/// <param name="HoleBytes">Never written.</param>
sealed record DemoDisk(ulong RandomBytes, ulong ZeroBytes, ulong HoleBytes)
{
    const ulong Seed = 20_240_229;
    const ulong PieceBytesMin = 64 * Units.KiB;
    const ulong PieceBytesMax = 8 * Units.MiB;

    /// <summary>Writes the disk and flushes it, so that what follows measures the copy alone.</summary>
    /// <param name="path">Must not exist.</param>
    /// <param name="sizeBytes">Any.</param>
    /// <param name="interruption">Ends it early; the disk is then shorter than its size in data.</param>
    /// <returns>The disk's parts. IOException: what the file system says.</returns>
    public static DemoDisk Write(string path, ulong sizeBytes, Interruption interruption)
    {
        Prng prng = new(Seed);
        byte[] random = new byte[PieceBytesMax];
        byte[] zeroes = new byte[PieceBytesMax];
        ulong randomBytes = 0;
        ulong zeroBytes = 0;
        using SafeFileHandle file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        RandomAccess.SetLength(file, (long)sizeBytes);
        for (ulong offset = 0; offset < sizeBytes && !interruption.IsRequested; )
        {
            ulong wanted = Units.AlignDown(prng.Between(PieceBytesMin, PieceBytesMax), PieceBytesMin);
            int lengthBytes = (int)Math.Min(wanted, sizeBytes - offset);
            ulong choice = prng.Below(10);
            if (choice < 6)
            {
                prng.Fill(random.AsSpan(0, lengthBytes));
                RandomAccess.Write(file, random.AsSpan(0, lengthBytes), (long)offset);
                randomBytes += (ulong)lengthBytes;
            }
            else if (choice < 8)
            {
                RandomAccess.Write(file, zeroes.AsSpan(0, lengthBytes), (long)offset);
                zeroBytes += (ulong)lengthBytes;
            }
            offset += (ulong)lengthBytes;
        }
        RandomAccess.FlushToDisk(file);
        return new DemoDisk(randomBytes, zeroBytes, sizeBytes - randomBytes - zeroBytes);
    }
}
