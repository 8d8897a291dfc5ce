// The disk of an image, read from its file as a whole by the shortest way that there is: for models, which look at it
// after every power cut. Knows data and zeroes, in clusters and subclusters; nothing compressed.
// Source: QEMU docs/interop/qcow2.rst.
using System;
using System.Buffers.Binary;
using System.Numerics;

namespace FastBackup.Tests.Images;

static class FlatImage
{
    /// <param name="file">Of an image whose tables agree.</param>
    /// <param name="below">What it is based on; shorter than the disk: zeroes follow.</param>
    /// <param name="disk">Filled in.</param>
    public static void Read(ReadOnlySpan<byte> file, ReadOnlySpan<byte> below, Span<byte> disk)
    {
        below = below[..Math.Min(below.Length, disk.Length)];
        disk[below.Length..].Clear();
        below.CopyTo(disk);
        int clusterBits = (int)Get4(file, 20);
        bool hasParts = Get4(file, 4) >= 3 && (Get8(file, 72) & 16) != 0;
        int cluster = 1 << clusterBits;
        int entryBytes = hasParts ? 16 : 8;
        int perTable = cluster / entryBytes;
        int l1 = (int)Get8(file, 40);
        for (int at = 0; at < disk.Length; at += cluster)
        {
            int number = at >> clusterBits;
            int table = (int)(Get8(file, l1 + number / perTable * 8) & 0x00ff_ffff_ffff_fe00);
            if (table == 0)
                continue;
            int place = table + number % perTable * entryBytes;
            ulong entry = Get8(file, place);
            uint stored = uint.MaxValue;
            uint zero = (entry & 1) != 0 ? uint.MaxValue : 0;
            int host = (int)(entry & 0x00ff_ffff_ffff_fe00);
            if (hasParts)
                (zero, stored) = (Get4(file, place + 8), Get4(file, place + 12));
            else if (host == 0)
                stored = 0;
            Apply(file, disk, (at, cluster), host, stored & ~zero, zero);
        }
    }

    static void Apply(
        ReadOnlySpan<byte> file,
        Span<byte> disk,
        (int Start, int Bytes) cluster,
        int host,
        uint stored,
        uint zero
    )
    {
        int part = cluster.Bytes / 32;
        if (stored == uint.MaxValue && host + cluster.Bytes <= file.Length)
        {
            Span<byte> whole = disk[cluster.Start..];
            whole = whole[..Math.Min(cluster.Bytes, whole.Length)];
            file.Slice(host, whole.Length).CopyTo(whole);
            return;
        }
        for (int i = BitOperations.TrailingZeroCount(stored | zero); i < 32; i++)
        {
            int start = cluster.Start + i * part;
            int length = Math.Min(part, disk.Length - start);
            if (length <= 0)
                return;
            Span<byte> into = disk.Slice(start, length);
            int from = host + i * part;
            if ((zero >> i & 1) != 0)
                into.Clear();
            else if ((stored >> i & 1) != 0)
            {
                int there = Math.Clamp(file.Length - from, 0, length);
                into.Clear(); // behind the end of the file
                file.Slice(from, there).CopyTo(into);
            }
        }
    }

    static uint Get4(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt32BigEndian(file[at..]);

    static ulong Get8(ReadOnlySpan<byte> file, int at) => BinaryPrimitives.ReadUInt64BigEndian(file[at..]);
}
