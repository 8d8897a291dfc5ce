// An image without data, byte by byte as the format's page has it: for tests that have no other program to make one.
// Source: QEMU docs/interop/qcow2.rst.
using System;
using System.Buffers.Binary;
using FastBackup.Base;

namespace FastBackup.Tests.Images;

/// <param name="ClusterBits">9..21.</param>
/// <param name="RefcountOrder">0..6.</param>
/// <param name="Version">2 has counts of 16 bits.</param>
/// <param name="HasSubclusters">From clusters of 16 KiB on.</param>
/// <param name="DiskBytes">Of the disk.</param>
/// <param name="BackingBytes">Of what it is based on, which the image does not name; 0: nothing.</param>
sealed record EmptyImage(
    int ClusterBits,
    int RefcountOrder,
    int Version,
    bool HasSubclusters,
    int DiskBytes,
    int BackingBytes
)
{
    /// <summary>A bit that no program knows yet: a writer takes it away.</summary>
    public const ulong Autoclear = 1UL << 40;

    /// <summary>Any of the shapes that matter.</summary>
    public static EmptyImage Any(Prng chance)
    {
        int version = chance.Below(5) == 0 ? 2 : 3;
        bool hasSubclusters = version == 3 && chance.Below(3) == 0;
        int clusterBits = hasSubclusters ? 14 : 9 + (int)chance.Below(6);
        int disk = (16 + (int)chance.Below(200)) * 1024 + 512 * (int)chance.Below(2);
        return new EmptyImage(
            clusterBits,
            version == 2 ? 4 : (int)chance.Below(7),
            version,
            hasSubclusters,
            disk,
            chance.Below(2) == 0 ? 0 : Math.Min(disk, (int)chance.Below(400) * 512)
        );
    }

    public byte[] ToBytes()
    {
        int cluster = 1 << ClusterBits;
        ulong l1Span = 1UL << ClusterBits + ClusterBits - (HasSubclusters ? 4 : 3);
        int l1Count = (int)Units.DivCeil((ulong)DiskBytes, l1Span);
        int l1Clusters = (int)Units.DivCeil((ulong)l1Count * 8, (ulong)cluster);
        byte[] file = new byte[(3 + l1Clusters) * cluster];
        Put4(file, 0, 0x514649fb);
        Put4(file, 4, (uint)Version);
        Put4(file, 20, (uint)ClusterBits);
        Put8(file, 24, (ulong)DiskBytes);
        Put4(file, 36, (uint)l1Count);
        Put8(file, 40, (ulong)(3 * cluster));
        Put8(file, 48, (ulong)cluster);
        Put4(file, 56, 1);
        if (Version >= 3)
        {
            Put8(file, 72, HasSubclusters ? 16u : 0);
            Put8(file, 88, Autoclear);
            Put4(file, 96, (uint)RefcountOrder);
            Put4(file, 100, 104);
        }
        Put8(file, cluster, (ulong)(2 * cluster));
        for (int i = 0; i < 3 + l1Clusters; i++)
            PutCount(file.AsSpan(2 * cluster), i);
        return file;
    }

    /// <summary>Of clusters of 512 bytes and counts of 64 bits: a file so long that the next block of counts is the
    /// last that a page of the table names, with room for more of them in the next page.</summary>
    public byte[] BeforeTwoPages()
    {
        byte[] file = ToBytes();
        Array.Resize(ref file, (191 * 64 + 36) * 512);
        const int table = 10; // its first cluster of four
        Put8(file, 48, table * 512);
        Put4(file, 56, 4);
        Put8(file, table * 512, 2 * 512);
        Put8(file, 1024 + 8, 0);
        for (int i = 0; i < 4; i++)
            PutCount(file.AsSpan(1024), table + i);
        return file;
    }

    /// <summary>A cluster is used once; of a small order the first count lies in the lowest bits of a byte.</summary>
    void PutCount(Span<byte> block, int cluster)
    {
        int bits = 1 << RefcountOrder;
        int last = bits < 8 ? cluster * bits / 8 : (cluster + 1) * bits / 8 - 1;
        block[last] |= (byte)(1 << (bits < 8 ? cluster * bits % 8 : 0));
    }

    static void Put4(byte[] file, int at, uint value) => BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(at), value);

    static void Put8(byte[] file, int at, ulong value) => BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(at), value);
}
