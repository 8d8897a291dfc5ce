// The disks that commands copy: each a file of a kind of content that backups meet.
using System;
using System.IO;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Bench.Report;

static class ReportDisk
{
    /// <summary>By turns a MiB of random data, one of text and two that were never written.</summary>
    /// <param name="path">Made anew.</param>
    /// <param name="sizeBytes">A multiple of 4 MiB.</param>
    /// <param name="cancel">Ends it.</param>
    public static void MakeMixed(string path, ulong sizeBytes, CancellationToken cancel) =>
        Make(
            path,
            sizeBytes,
            (index, random, piece) =>
            {
                if (index % 4 >= 2)
                    return false;
                random.Fill(piece);
                if (index % 4 == 1)
                    for (int i = 0; i < piece.Length; i++)
                        piece[i] = (byte)('a' + piece[i] % 8);
                return true;
            },
            cancel
        );

    /// <summary>By turns a MiB of random data and one of zeroes that were written.</summary>
    /// <inheritdoc cref="MakeMixed"/>
    public static void MakeHalfZero(string path, ulong sizeBytes, CancellationToken cancel) =>
        Make(
            path,
            sizeBytes,
            (index, random, piece) =>
            {
                if (index % 2 == 0)
                    random.Fill(piece);
                else
                    Array.Clear(piece);
                return true;
            },
            cancel
        );

    /// <summary>64 KiB of random data in each MiB; the rest was never written.</summary>
    /// <inheritdoc cref="MakeMixed"/>
    public static void MakeSparse(string path, ulong sizeBytes, CancellationToken cancel)
    {
        byte[] piece = new byte[64 * Units.KiB];
        Prng random = new(1);
        using FileStream file = File.Create(path);
        file.SetLength((long)sizeBytes);
        for (ulong offset = 0; offset < sizeBytes; offset += Units.MiB)
        {
            cancel.ThrowIfCancellationRequested();
            random.Fill(piece);
            file.Position = (long)offset;
            file.Write(piece);
        }
        file.Flush(flushToDisk: true);
    }

    static void Make(string path, ulong sizeBytes, Func<ulong, Prng, byte[], bool> hasContent, CancellationToken cancel)
    {
        byte[] piece = new byte[Units.MiB];
        Prng random = new(1);
        using FileStream file = File.Create(path);
        file.SetLength((long)sizeBytes);
        for (ulong index = 0; index < sizeBytes / Units.MiB; index++)
        {
            cancel.ThrowIfCancellationRequested();
            if (!hasContent(index, random, piece))
                continue;
            file.Position = (long)(index * Units.MiB);
            file.Write(piece);
        }
        file.Flush(flushToDisk: true);
    }
}
