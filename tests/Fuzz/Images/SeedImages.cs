// Small images to begin with, made by our own writers when the program starts: both versions, clusters and counts of
// several widths, packed clusters of both kinds, parts of clusters, bitmaps, all places taken, and (by hand: nobody
// here makes one) an internal snapshot. None is based on another.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Formats.Qcow2;

namespace FastBackup.Tests.Fuzz.Images;

static class SeedImages
{
    const ulong DiskBytes = 100 * 1024 + 512;
    const ulong Copied = 1UL << 63;

    /// <summary>Always the same, in the same order: what is kept of earlier runs names them by number.</summary>
    public static List<SeedImage> Make(ImageWork work)
    {
        BlankImageOptions any = new() { SizeBytes = DiskBytes };
        BlankImageOptions small = any with { ClusterBytes = 512 };
        BlankImageOptions page = any with { ClusterBytes = 4096 };
        BlankImageOptions parts = any with { ClusterBytes = 16384, HasSubclusters = true };
        return
        [
            new(Written(work, small with { Version = 2 })),
            new(WithBitmaps(Packed(Written(work, small), Qcow2Compression.Zlib))),
            new(Written(work, page with { RefcountBits = 1, IsLazy = true })),
            new(WithBitmaps(Written(work, parts))),
            new(
                WithBitmaps(
                    Packed(Written(work, page with { Compression = Qcow2Compression.Zstd }), Qcow2Compression.Zstd)
                )
            ),
            new(WithSnapshot(Written(work, small with { RefcountBits = 8 }))),
            new(WithBitmaps(Written(work, page with { IsPreallocated = true, RefcountBits = 64 }))),
            new(Packed(Written(work, parts with { RefcountBits = 32 }), Qcow2Compression.Zlib)),
            new(WithSnapshot(Packed(Written(work, page with { RefcountBits = 8 }), Qcow2Compression.Zlib))),
        ];
    }

    static byte[] Written(ImageWork work, BlankImageOptions options)
    {
        Check.That(BlankImage.TryPlan(options, out BlankImage? image) == null);
        MemoryFile file = new([]);
        Check.That(image!.Write(file).IsNone);
        return work.Fill(file.Content);
    }

    /// <summary>Two of them; one is not recording.</summary>
    static byte[] WithBitmaps(byte[] image)
    {
        MemoryFile file = new(image);
        using HierarchicalBitmap fine = HierarchicalBitmap.Create(DiskBytes, 512);
        using HierarchicalBitmap coarse = HierarchicalBitmap.Create(DiskBytes, 65536);
        Check.That(fine.Set(5000, 20_000).IsNone && coarse.Set(0, DiskBytes).IsNone);
        Check.That(BitmapStoring.TryStore(file, "seed", true, [new("b", true, fine), new("c", false, coarse)]).IsNone);
        return file.Content;
    }

    /// <summary>The first cluster of the disk lies packed where it was.</summary>
    static byte[] Packed(byte[] image, Qcow2Compression type)
    {
        byte[] file = [.. image];
        int clusterBits = (int)BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(20));
        (int at, int host) = FirstEntry(file);
        Span<byte> cluster = file.AsSpan(host, 1 << clusterBits);
        cluster.Fill(7);
        byte[] packed = new byte[ClusterDeflater.PackedBytesRoom];
        using ClusterDeflater deflater = new(new NewImagePacking(type, 1));
        int length = deflater.Deflate(cluster, packed);
        Check.That(length is > 0 and < 512);
        packed.AsSpan(0, 512).CopyTo(cluster);
        Span<byte> entry = file.AsSpan(at, 8);
        BinaryPrimitives.WriteUInt64BigEndian(entry, 1UL << 62 | (uint)host);
        if ((file[79] & 16) != 0) // with parts: their bits mean nothing here
            file.AsSpan(at + 8, 8).Clear();
        return file;
    }

    static (int At, int Host) FirstEntry(byte[] file)
    {
        int l1 = (int)BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan(40));
        int at = (int)(BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan(l1)) & ~Copied);
        return (at, (int)(BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan(at)) & ~Copied));
    }

    /// <summary>Of the disk as it is: all that the disk has is used twice. Counts have 8 bits.</summary>
    static byte[] WithSnapshot(byte[] image)
    {
        int clusterBytes = 1 << (int)BinaryPrimitives.ReadUInt32BigEndian(image.AsSpan(20));
        int start = (int)Units.AlignUp((ulong)image.Length, (ulong)clusterBytes);
        int l1 = (int)BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan(40));
        int l1Count = (int)BinaryPrimitives.ReadUInt32BigEndian(image.AsSpan(36));
        byte[] file = new byte[start + 2 * clusterBytes];
        image.CopyTo(file, 0);
        int block = (int)BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan(clusterBytes));
        for (int i = 0; i < l1Count; i++)
        {
            int table = Share(l1 + 8 * i);
            for (int at = table; table > 0 && at < table + clusterBytes; at += 8)
                _ = Share(at);
        }
        file.AsSpan(l1, l1Count * 8).CopyTo(file.AsSpan(start));
        (Count(start), Count(start + clusterBytes)) = (1, 1);
        Span<byte> snapshot = file.AsSpan(start + clusterBytes);
        BinaryPrimitives.WriteUInt64BigEndian(snapshot, (ulong)start);
        BinaryPrimitives.WriteUInt32BigEndian(snapshot[8..], (uint)l1Count);
        (snapshot[13], snapshot[15], snapshot[39]) = (1, 1, 16);
        BinaryPrimitives.WriteUInt64BigEndian(snapshot[48..], DiskBytes);
        (snapshot[56], snapshot[57]) = ((byte)'1', (byte)'s');
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(60), 1);
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(64), (ulong)(start + clusterBytes));
        return file;

        int Share(int at)
        {
            ulong entry = BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan(at)) & ~Copied;
            int host = (int)(entry & 0xff_fe00);
            if (host > 0)
                Count(host)++;
            BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(at), entry);
            return host;
        }

        ref byte Count(int host) => ref file[block + host / clusterBytes]; // of 8 bits
    }
}
