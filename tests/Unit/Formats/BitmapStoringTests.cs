// Bitmaps stored into images that QEMU has made: read back they are the same, also by QEMU; the disk stays what it was;
// and a power cut at any step leaves the bitmaps from before, the new ones, or none that anybody believes.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Tests.Images;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

[Trait("Length", "Long")] // not in the quick check
public sealed class BitmapStoringTests : IDisposable
{
    const int DiskBytes = 3 << 20;
    const int GrowthMax = 24 << 20;

    readonly TempFolder _folder = new();
    readonly List<HierarchicalBitmap> _made = [];

    public BitmapStoringTests() => Requires.Command("qemu-img");

    public void Dispose()
    {
        _made.ForEach(one => one.Dispose());
        _folder.Dispose();
    }

    public static TheoryData<string, bool> Images =>
        new()
        {
            { "cluster_size=512", false },
            { "cluster_size=512,refcount_bits=64", false },
            { "cluster_size=1k,refcount_bits=1", true },
            { "cluster_size=4k,refcount_bits=2", true },
            { "cluster_size=16k,extended_l2=on", true },
            { "cluster_size=64k,refcount_bits=8", false },
            { "cluster_size=64k,lazy_refcounts=on", true },
            { "cluster_size=2M", true },
        };

    [Theory]
    [MemberData(nameof(Images))]
    public void WhatIsStored_IsRead_AndACutLosesNothingElse(string options, bool hasBacking)
    {
        Prng chance = new(TestSeed.Next());
        string path = Image(options, hasBacking);
        byte[] file = File.ReadAllBytes(path);
        string before = Disk(path);
        List<StoredBitmap> stored = [];
        for (int round = 0; round < 4; round++)
        {
            MemoryFile memory = new(file, file.Length + GrowthMax);
            List<StoredBitmap> wanted = round == 3 ? [] : Some(chance, round);
            OpenRefusal refusal = BitmapStoring.TryStore(memory, "image", canGrow: true, wanted);
            Assert.True(refusal.IsNone, refusal.Sentence);
            Expect(memory.Content, wanted);
            Clean(memory.Content, leaksMayBe: false);
            for (int step = 0; step < memory.StepCount; step++)
            {
                byte[] cut = memory.Cut(step, chance);
                Clean(cut, leaksMayBe: true);
                if (Header(cut).Bitmaps != null)
                    ExpectOneOf(cut, stored, wanted);
            }
            (file, stored) = (memory.Content, wanted);
            File.WriteAllBytes(path, file);
            Tool.Run("qemu-img", "check", "-q", path);
            Assert.Equal(before, Disk(path));
            string info = Tool.Run("qemu-img", "info", path);
            foreach (StoredBitmap bitmap in wanted)
                Assert.Contains("name: " + bitmap.Name, info);
            Assert.Equal(hasBacking, info.Contains("backing file: base.img", StringComparison.Ordinal));
        }
    }

    /// <summary>The table of reference counts is full, again and again.</summary>
    [Theory]
    [InlineData("cluster_size=512,refcount_bits=64")]
    [InlineData("cluster_size=512")]
    public void AnImage_BecomesLonger_AsOftenAsNeeded(string options)
    {
        byte[] file = File.ReadAllBytes(Image(options, hasBacking: false));
        List<StoredBitmap> many = [];
        for (int i = 0; i < 300; i++)
        {
            HierarchicalBitmap bits = Made(512);
            Assert.True(bits.Set((ulong)i * 4096, 100).IsNone);
            many.Add(new StoredBitmap($"{i} " + new string('x', 200), i % 2 == 0, bits));
        }
        for (int round = 0; round < 3; round++)
        {
            MemoryFile memory = new(file, file.Length + GrowthMax);
            OpenRefusal refusal = BitmapStoring.TryStore(memory, "image", canGrow: true, many);
            Assert.True(refusal.IsNone, refusal.Sentence);
            Expect(memory.Content, many);
            Clean(memory.Content, leaksMayBe: false);
            file = memory.Content;
        }
        string path = _folder["image"];
        File.WriteAllBytes(path, file);
        Tool.Run("qemu-img", "check", "-q", path);
    }

    /// <summary>Behind the end of the file clusters are counted, and before that some are not.</summary>
    [Fact]
    public void CountsWithAGap_AreGoneOnWith()
    {
        byte[] file = new EmptyImage(9, 6, 3, false, DiskBytes, 0).ToBytes(); // a block counts 64 clusters
        int block = file.Length;
        Array.Resize(ref file, 100 * 512);
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(512 + 2 * 8), (ulong)block);
        BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(1024 + block / 512 * 8), 1);
        Clean(file, leaksMayBe: false);
        Store(file, 50);
    }

    /// <summary>Blocks that are made at once are named in two pages of their table.</summary>
    [Fact]
    public void BlocksOfTwoPages_AreNamed()
    {
        byte[] file = new EmptyImage(9, 6, 3, false, DiskBytes, 0).BeforeTwoPages();
        Clean(file, leaksMayBe: false);
        Store(file, 45);
    }

    void Store(byte[] file, int count)
    {
        List<StoredBitmap> many = [];
        for (int i = 0; i < count; i++) // a directory of two clusters for each
            many.Add(new StoredBitmap($"{i} " + new string('x', 1000), true, Made(64 << 10)));
        MemoryFile memory = new(file, file.Length + GrowthMax);
        OpenRefusal refusal = BitmapStoring.TryStore(memory, "image", canGrow: true, many);
        Assert.True(refusal.IsNone, refusal.Sentence);
        Expect(memory.Content, many);
        Clean(memory.Content, leaksMayBe: false);
    }

    /// <summary>A writer that does not know bitmaps was here: what is left of the extension is not believed.</summary>
    [Fact]
    public void AnExtensionThatIsNotBelieved_IsWrittenAnew()
    {
        string path = Image("cluster_size=64k", hasBacking: false);
        Tool.Run("qemu-img", "bitmap", "--add", path, "b");
        byte[] file = File.ReadAllBytes(path);
        file[95] = 0;
        int at = file.AsSpan(0, 4096).IndexOf((ReadOnlySpan<byte>)[0x23, 0x85, 0x28, 0x75, 0, 0, 0, 24]);
        file.AsSpan(at + 8, 24).Fill(0xff);
        MemoryFile memory = new(file, file.Length + GrowthMax);
        List<StoredBitmap> wanted = Some(new Prng(TestSeed.Next()), 1);
        OpenRefusal refusal = BitmapStoring.TryStore(memory, "image", canGrow: true, wanted);
        Assert.True(refusal.IsNone, refusal.Sentence);
        Expect(memory.Content, wanted);
        File.WriteAllBytes(path, memory.Content);
        Assert.Contains("name: bitmap 0", Tool.Run("qemu-img", "info", path));
    }

    [Fact]
    public void WhereThereIsNoRoom_NothingIsLost()
    {
        byte[] file = File.ReadAllBytes(Image("cluster_size=4k", hasBacking: false));
        Prng chance = new(TestSeed.Next());
        MemoryFile memory = new(file, file.Length);
        OpenRefusal refusal = BitmapStoring.TryStore(memory, "image", canGrow: false, Some(chance, 1));
        Assert.Equal(Errnos.ENOSPC, refusal.Fault.Errno);
        Clean(memory.Content, leaksMayBe: true);
        Assert.Null(Header(memory.Content).Bitmaps);
        byte[] old = File.ReadAllBytes(Image("compat=0.10", hasBacking: false));
        refusal = BitmapStoring.TryStore(new MemoryFile(old, old.Length), "image", canGrow: true, Some(chance, 1));
        Assert.Contains("version 2", refusal.Sentence, StringComparison.Ordinal);
    }

    string Image(string options, bool hasBacking)
    {
        string path = _folder["image"];
        File.Delete(path);
        File.WriteAllBytes(_folder["base.img"], new byte[DiskBytes / 2]);
        string[] backing = hasBacking ? ["-b", "base.img", "-F", "raw"] : [];
        Tool.Run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options, .. backing, path, $"{DiskBytes}"]);
        Tool.Run("qemu-io", "-t", "unsafe", "-c", "write -P 3 100k 300k", "-c", "write -z 1M 70k", path);
        return path;
    }

    string Disk(string path)
    {
        Tool.Run("qemu-img", "convert", "-O", "raw", path, _folder["raw"]);
        return Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(_folder["raw"])));
    }

    HierarchicalBitmap Made(ulong granularityBytes)
    {
        HierarchicalBitmap bits = HierarchicalBitmap.Create(DiskBytes, granularityBytes);
        _made.Add(bits);
        return bits;
    }

    List<StoredBitmap> Some(Prng chance, int round)
    {
        List<StoredBitmap> all = [];
        for (int i = 0; i <= round; i++)
        {
            HierarchicalBitmap bits = Made(512UL << (int)chance.Below(12));
            for (ulong runs = chance.Below(20); runs > 0; runs--)
            {
                ulong offset = chance.Below(DiskBytes - 1);
                Assert.True(bits.Set(offset, 1 + chance.Below(DiskBytes - offset)).IsNone);
            }
            if (chance.Below(4) == 0)
                bits.SetAll();
            all.Add(new StoredBitmap($"bitmap {i} of {round} é", chance.Below(2) == 0, bits));
        }
        return all;
    }

    static Qcow2Header Header(byte[] file)
    {
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(new FileImage(file), "image", out Qcow2Header? header);
        Assert.True(refusal.IsNone, refusal.Sentence);
        return header!;
    }

    static void Clean(byte[] file, bool leaksMayBe)
    {
        Qcow2Header header = Header(file);
        CheckFindings found = Qcow2Check.Run(new FileImage(file), header);
        Assert.True(found.Corruptions == 0, string.Join("; ", found.Sentences));
        Assert.Null(found.Incomplete);
        Assert.True(leaksMayBe || found.Leaks == 0, string.Join("; ", found.Sentences));
        Assert.Null(BitmapReading.WhatIsWrong(new FileImage(file), header));
    }

    static void ExpectOneOf(byte[] file, List<StoredBitmap> one, List<StoredBitmap> other)
    {
        Assert.Null(Qcow2Bitmap.TryReadAll(new FileImage(file), Header(file), out List<Qcow2Bitmap> all));
        bool isOther = all.Count == other.Count && (all.Count == 0 || all[0].Name == other[0].Name);
        Expect(file, isOther ? other : one);
    }

    static void Expect(byte[] file, List<StoredBitmap> wanted)
    {
        Qcow2Header header = Header(file);
        FileImage reader = new(file);
        Assert.Null(Qcow2Bitmap.TryReadAll(reader, header, out List<Qcow2Bitmap> all));
        Assert.Equal(
            wanted.ConvertAll(one => (one.Name, one.IsRecording)),
            all.ConvertAll(one => (one.Name, one.IsRecording))
        );
        for (int i = 0; i < all.Count; i++)
        {
            OpenRefusal refusal = BitmapReading.TryRead(reader, header, "image", all[i], out HierarchicalBitmap? bits);
            Assert.True(refusal.IsNone, refusal.Sentence);
            using HierarchicalBitmap read = bits!;
            Assert.True(read.Equal(wanted[i].Bits!), "other bits");
        }
    }
}
