// Clusters packed and unpacked by the system's library and by the port of it: each reads what the other has written,
// and neither takes what is no cluster.
using System;
using FastBackup.Base;
using FastBackup.Formats.Qcow2;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

public sealed class ClusterPackingTests
{
    const int ClusterBytes = 1 << 16;

    public static TheoryData<Qcow2Compression, int, bool, bool> Pairs
    {
        get
        {
            TheoryData<Qcow2Compression, int, bool, bool> all = [];
            foreach (int level in (int[])[1, 2, 3, 19])
                for (int who = 0; who < 4; who++)
                    all.Add(Qcow2Compression.Zstd, level, who % 2 == 0, who > 1);
            all.Add(Qcow2Compression.Zlib, 6, true, true);
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void WhatOneHasPacked_TheOtherReads(Qcow2Compression type, int level, bool isBySystem, bool readsBySystem)
    {
        using ClusterDeflater deflater = new(new NewImagePacking(type, level), isBySystem);
        using ClusterInflater inflater = new(type, readsBySystem);
        byte[] packed = new byte[ClusterDeflater.PackedBytesRoom];
        byte[] read = new byte[ClusterBytes];
        Prng chance = new(TestSeed.Next());
        for (int kind = 0; kind < 6; kind++)
        {
            byte[] plain = Content(chance, kind);
            int length = deflater.Deflate(plain, packed);
            Assert.InRange(length, 1, ClusterDeflater.PackedBytesMax);
            Assert.True(inflater.TryInflate(packed.AsSpan(0, length), read));
            Assert.Equal(plain, read);
            // What follows up to the next sector may be anything, and a frame may be cut or be none.
            Assert.True(inflater.TryInflate(packed.AsSpan(0, length + 100), read));
            Assert.False(inflater.TryInflate(packed.AsSpan(0, length / 2), read));
            packed[0] ^= 0xff;
            if (type == Qcow2Compression.Zstd)
                Assert.False(inflater.TryInflate(packed.AsSpan(0, length), read));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatDoesNotBecomeShorterByAPage_IsLeft(bool isBySystem)
    {
        using ClusterDeflater deflater = new(new NewImagePacking(Qcow2Compression.Zstd, 1), isBySystem);
        byte[] packed = new byte[ClusterDeflater.PackedBytesRoom];
        byte[] plain = new byte[ClusterBytes];
        Prng chance = new(TestSeed.Next());
        chance.Fill(plain);
        Assert.Equal(0, deflater.Deflate(plain, packed));
        plain.AsSpan(0, 3000).Clear(); // less than a page
        Assert.Equal(0, deflater.Deflate(plain, packed));
        plain.AsSpan(0, 9000).Clear();
        Assert.NotEqual(0, deflater.Deflate(plain, packed));
    }

    /// <summary>A frame of a shorter text is no cluster, and two frames are one that has both.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void FramesThatFillACluster_AreOne(bool readsBySystem)
    {
        using ClusterDeflater deflater = new(new NewImagePacking(Qcow2Compression.Zstd, 1));
        using ClusterInflater inflater = new(Qcow2Compression.Zstd, readsBySystem);
        byte[] packed = new byte[2 * ClusterDeflater.PackedBytesRoom];
        byte[] read = new byte[ClusterBytes];
        byte[] half = Content(new Prng(TestSeed.Next()), 1)[..(ClusterBytes / 2)];
        int length = deflater.Deflate(half, packed);
        Assert.False(inflater.TryInflate(packed.AsSpan(0, length), read));
        packed.AsSpan(0, length).CopyTo(packed.AsSpan(length));
        Assert.True(inflater.TryInflate(packed.AsSpan(0, 2 * length), read));
        Assert.Equal((byte[])[.. half, .. half], read);
    }

    static byte[] Content(Prng chance, int kind)
    {
        byte[] bytes = new byte[ClusterBytes];
        chance.Fill(bytes);
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = kind == 0 ? (byte)0 : (byte)('a' + (bytes[i] & ((1 << kind) - 1)));
        return bytes;
    }
}
