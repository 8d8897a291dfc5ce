// What seals blobs, against the library and against published numbers.
using System;
using System.Linq;
using FastBackup.Repositories;
using Org.BouncyCastle.Crypto.Engines;
using Org.BouncyCastle.Crypto.Modes;
using Org.BouncyCastle.Crypto.Parameters;
using Xunit;

namespace FastBackup.Tests.Points;

public sealed class CipherTests
{
    [Fact]
    public void Poly1305_OfThePublishedMessage_IsThePublishedTag()
    {
        // Source: RFC 8439, section 2.5.2.
        byte[] key = Convert.FromHexString("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b");
        byte[] tag = new byte[16];
        Poly1305.Compute(key.AsSpan(0, 16), key.AsSpan(16), "Cryptographic Forum Research Group"u8, tag);
        Assert.Equal("a8061dc1305136c6c22b8baf0c0127a9", Convert.ToHexStringLower(tag));
    }

    [Fact]
    public void Poly1305_OfAnyMessage_IsTheLibrarys()
    {
        Random random = new((int)TestSeed.Next());
        for (int i = 0; i < 3000; i++)
        {
            byte[] r = Bytes(random, 16);
            byte[] s = Bytes(random, 16);
            byte[] message = Bytes(random, i < 300 ? i : random.Next(5000));
            AssertSame(r, s, message);
        }
    }

    [Theory]
    [InlineData(0x00)]
    [InlineData(0xff)]
    [InlineData(0xfe)]
    [InlineData(0xfb)]
    public void Poly1305_AtTheEdgesOfItsField_IsTheLibrarys(byte value)
    {
        for (int length = 0; length <= 100; length++)
            foreach (byte other in new byte[] { 0x00, 0x01, 0xff, 0xfb })
            {
                byte[] message = [.. Enumerable.Repeat(value, length)];
                if (length > 16)
                    message[16] = other;
                AssertSame([.. Enumerable.Repeat(other, 16)], [.. Enumerable.Repeat(value, 16)], message);
                AssertSame([2, .. new byte[15]], [.. Enumerable.Repeat(other, 16)], message);
            }
    }

    /// <summary>The machine that tests run on has OpenSSL 3: else the tests of it would be of our own code.</summary>
    [Fact]
    public void SystemsLibrary_IsUsedWhereItMayBe()
    {
        using BlobCipher systems = new(MasterKey.Random());
        using BlobCipher own = new(MasterKey.Random(), isSystems: false);
        Assert.Equal(OperatingSystem.IsLinux(), systems.IsSystems);
        Assert.False(own.IsSystems);
    }

    [Fact]
    public void WhatOneSeals_TheOtherOpens()
    {
        Random random = new((int)TestSeed.Next());
        MasterKey key = MasterKey.Random();
        using BlobCipher systems = new(key);
        using BlobCipher own = new(key, isSystems: false);
        for (int i = 0; i < 500; i++)
        {
            byte[] text = Bytes(random, i < 200 ? i : random.Next(300_000));
            Assert.Equal(text, own.Open(systems.Seal(text)));
            Assert.Equal(text, systems.Open(own.Seal(text)));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void CounterMode_OfAnyLength_IsTheLibrarys(bool isSystems)
    {
        Random random = new((int)TestSeed.Next());
        MasterKey key = MasterKey.Random();
        using BlobCipher cipher = new(key, isSystems);
        foreach (int length in new[] { 0, 1, 15, 16, 17, 31, 33, 4096, 65535, 65536, 65537, 200_001 })
        {
            byte[] text = Bytes(random, length);
            byte[] sealedText = cipher.Seal(text);
            SicBlockCipher counter = new(new AesEngine());
            Org.BouncyCastle.Crypto.BufferedBlockCipher library = new(counter);
            library.Init(true, new ParametersWithIV(new KeyParameter(key.Encrypt), sealedText[..16]));
            Assert.Equal(library.DoFinal(text), sealedText[16..^16]);
            Assert.Equal(text, cipher.Open(sealedText));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void CounterThatOverflows_GoesOnAtZero(bool isSystems)
    {
        MasterKey key = MasterKey.Random();
        using BlobCipher cipher = new(key, isSystems);
        byte[] text = new byte[64];
        for (int tries = 0; tries < 4; tries++)
        {
            // The library's counter is as wide: what it gives for an IV of ones is what opens here.
            byte[] iv = [.. Enumerable.Repeat((byte)0xff, 15), (byte)(0xfc + tries)];
            Org.BouncyCastle.Crypto.BufferedBlockCipher library = new(new SicBlockCipher(new AesEngine()));
            library.Init(true, new ParametersWithIV(new KeyParameter(key.Encrypt), iv));
            byte[] body = library.DoFinal(text);
            byte[] pad = new byte[16];
            AesEngine mac = new();
            mac.Init(true, new KeyParameter(key.MacKey));
            _ = mac.ProcessBlock(iv, 0, pad, 0);
            byte[] tag = new byte[16];
            Poly1305.Compute(key.MacPoint, pad, body, tag);
            Assert.Equal(text, cipher.Open([.. iv, .. body, .. tag]));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatWasChangedInAnyBit_IsNotOpened(bool isSystems)
    {
        using BlobCipher cipher = new(MasterKey.Random(), isSystems);
        byte[] sealedText = cipher.Seal("some words that nobody may change"u8);
        for (int bit = 0; bit < sealedText.Length * 8; bit++)
        {
            sealedText[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.Null(cipher.Open(sealedText));
            sealedText[bit / 8] ^= (byte)(1 << bit % 8);
        }
        for (int length = 0; length < sealedText.Length; length++)
            Assert.Null(cipher.Open(sealedText.AsSpan(0, length)));
        Assert.NotNull(cipher.Open(sealedText));
    }

    [Theory]
    [InlineData("", 16, 1, 1)]
    [InlineData("pleaseletmein", 16384, 8, 1)]
    [InlineData("a word", 1024, 8, 5)]
    [InlineData("p", 2, 1, 1)]
    [InlineData("more lanes than processors, and odd blocks", 64, 3, 70)]
    [InlineData("as restic asks for", 32768, 8, 4)]
    public void WhatAPasswordDerives_IsTheLibrarys(string password, int cost, int blockSize, int parallel)
    {
        byte[] word = System.Text.Encoding.UTF8.GetBytes(password);
        foreach (byte[] salt in new[] { [], "SodiumChloride"u8.ToArray() })
        {
            byte[] expected = Org.BouncyCastle.Crypto.Generators.SCrypt.Generate(
                word,
                salt,
                cost,
                blockSize,
                parallel,
                64
            );
            MasterKey key = MasterKey.Derive(word, salt, cost, blockSize, parallel);
            byte[] derived = [.. key.Encrypt, .. key.MacKey, .. key.MacPoint];
            Assert.Equal(expected, derived);
        }
    }

    [Fact]
    public void EachSealing_HasAnotherIv()
    {
        using BlobCipher cipher = new(MasterKey.Random());
        Assert.Equal(
            100,
            Enumerable.Range(0, 100).Select(_ => Convert.ToHexString(cipher.Seal("a"u8)[..16])).Distinct().Count()
        );
    }

    static void AssertSame(byte[] r, byte[] s, byte[] message)
    {
        byte[] tag = new byte[16];
        Poly1305.Compute(r, s, message, tag);
        Org.BouncyCastle.Crypto.Macs.Poly1305 library = new();
        library.Init(new KeyParameter([.. r, .. s]));
        library.BlockUpdate(message, 0, message.Length);
        byte[] expected = new byte[16];
        _ = library.DoFinal(expected, 0);
        Assert.Equal(expected, tag);
    }

    static byte[] Bytes(Random random, int length)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }
}
