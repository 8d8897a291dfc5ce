// Images that QEMU has made, changed by somebody hostile: whatever they say, there is an answer, in bounds of time and
// memory, and nothing is read or written outside file and buffer. Where QEMU reads a changed image and we do, both read
// the same; where it refuses, so do we.
// FASTBACKUP_FUZZ=N tries N images instead of a few thousand.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Formats.Qcow2;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

[Trait("Length", "Long")] // not in the quick check
public sealed class Qcow2FuzzTests : IDisposable
{
    const int DiskBytes = 200 << 10;
    const int Few = 3000;
    const int PeerFew = 40;
    const long AllocatedMax = 2 << 20; // for one image, beside what is mapped: tables and caches of fixed size

    readonly TempFolder _folder = new();
    readonly byte[] _backing = new byte[DiskBytes / 2];

    public Qcow2FuzzTests() => Requires.Command("qemu-img");

    public void Dispose() => _folder.Dispose();

    static readonly string[] Options =
    [
        "compat=0.10,cluster_size=512",
        "cluster_size=512,compression_type=zstd",
        "cluster_size=4k,compression_type=zlib",
        "cluster_size=16k,extended_l2=on,compression_type=zstd",
        "cluster_size=64k",
    ];

    [Fact]
    public void HostileImages_HaveAnAnswer()
    {
        string? given = Environment.GetEnvironmentVariable("FASTBACKUP_FUZZ");
        int count = given == null ? Few : int.Parse(given, CultureInfo.InvariantCulture);
        ulong seed = TestSeed.Next();
        Prng chance = new(seed);
        List<byte[]> originals = [.. Array.ConvertAll(Options, option => Original(option, chance))];
        chance.Fill(_backing);
        byte[] content = new byte[DiskBytes];
        using MemoryImage image = new();
        foreach (byte[] original in originals)
            Assert.Null(image.TryRead(original, _backing, content));
        int readable = 0;
        long most = 0;
        for (int i = 0; i < count; i++)
        {
            List<string> words = [];
            byte[] changed = ImageMutation.Make(originals[i % originals.Count], chance, words);
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                readable += image.TryRead(changed, i % 2 == 0 ? _backing : [], content) == null ? 1 : 0;
            }
            catch (Exception exception)
            {
                Assert.Fail($"seed {seed}, image {i} ({string.Join("; ", words)}): {exception}");
            }
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(allocated <= AllocatedMax, $"seed {seed}, image {i} has {allocated} bytes allocated");
            most = Math.Max(most, allocated);
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"at most {most} bytes for an image");
        Assert.InRange(readable, count / 10, count * 9 / 10); // both ends are met
    }

    [Fact]
    public void HostileImages_AreWrittenWithinBounds()
    {
        string? given = Environment.GetEnvironmentVariable("FASTBACKUP_FUZZ");
        int count = given == null ? Few / 3 : int.Parse(given, CultureInfo.InvariantCulture);
        ulong seed = TestSeed.Next();
        Prng chance = new(seed);
        List<byte[]> originals = [.. Array.ConvertAll(Options, option => Original(option, chance))];
        chance.Fill(_backing);
        using HostileWrites writes = new();
        (int opened, ulong done) = (0, 0);
        for (int i = 0; i < count; i++)
        {
            List<string> words = [];
            byte[] changed = ImageMutation.Make(originals[i % originals.Count], chance, words);
            try
            {
                uint? some = writes.Try(changed, i % 2 == 0 ? _backing : [], chance);
                opened += some == null ? 0 : 1;
                done += some ?? 0;
            }
            catch (Exception exception)
            {
                Assert.Fail($"seed {seed}, image {i} ({string.Join("; ", words)}): {exception}");
            }
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{opened} of {count} opened, {done} requests done");
        Assert.True(opened > count / 10 && done > (ulong)opened);
    }

    /// <summary>In place of whatever bitmaps there are, or beside them.</summary>
    [Fact]
    public void HostileImages_TakeBitmapsWithinBounds()
    {
        string? given = Environment.GetEnvironmentVariable("FASTBACKUP_FUZZ");
        int count = given == null ? Few / 3 : int.Parse(given, CultureInfo.InvariantCulture);
        ulong seed = TestSeed.Next();
        Prng chance = new(seed);
        List<byte[]> originals = [.. Array.ConvertAll(Options, option => Original(option, chance))];
        int stored = 0;
        for (int i = 0; i < count; i++)
        {
            List<string> words = [];
            byte[] changed = ImageMutation.Make(originals[i % originals.Count], chance, words);
            try
            {
                stored += Store(changed, chance) ? 1 : 0;
            }
            catch (Exception exception)
            {
                Assert.Fail($"seed {seed}, image {i} ({string.Join("; ", words)}): {exception}");
            }
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{stored} of {count} stored");
        Assert.InRange(stored, count / 20, count * 9 / 10);
    }

    static bool Store(byte[] file, Prng chance)
    {
        MemoryFile memory = new(file, file.Length + (8 << 20));
        if (!Qcow2Tables.TryReadHeader(memory, "image", out Qcow2Header? header).IsNone)
            return false;
        if (
            Qcow2Bitmap.TryReadAll(memory, header!, out List<Qcow2Bitmap> kept) != null
            || header!.SizeBytes > 1UL << 40
        )
            return false;
        using HierarchicalBitmap bits = HierarchicalBitmap.Create(header.SizeBytes, 64 << 10);
        if (header.SizeBytes > 0)
            Assert.True(bits.Set(0, 1 + chance.Below(header.SizeBytes)).IsNone);
        List<StoredBitmap> wanted = [new("new", true, bits)];
        foreach (Qcow2Bitmap one in kept)
            if (one.Name != "new" && chance.Below(2) == 0)
                wanted.Add(new StoredBitmap(one.Name, one.IsRecording, null, one));
        if (!BitmapStoring.TryStore(memory, "image", chance.Below(4) > 0, wanted).IsNone)
            return false;
        Assert.True(Qcow2Tables.TryReadHeader(memory, "image", out header).IsNone);
        Assert.Null(Qcow2Bitmap.TryReadAll(memory, header!, out kept));
        Assert.True(BitmapReading.TryRead(memory, header!, "image", kept[0], out HierarchicalBitmap? read).IsNone);
        using HierarchicalBitmap again = read!;
        Assert.True(again.Equal(bits));
        return true;
    }

    [Fact]
    public void WhatQemuRefusesIsRefused_AndTheRestIsTheSame()
    {
        string? given = Environment.GetEnvironmentVariable("FASTBACKUP_FUZZ");
        int count = given == null ? PeerFew : int.Parse(given, CultureInfo.InvariantCulture) / 100;
        Prng chance = new(TestSeed.Next());
        List<byte[]> originals = [.. Array.ConvertAll(Options, option => Original(option, chance))];
        using MemoryImage image = new();
        string path = _folder["changed"];
        string raw = _folder["raw"];
        for (int i = 0; i < count; i++)
        {
            List<string> words = [];
            byte[] changed = ImageMutation.Make(originals[i % originals.Count], chance, words);
            byte[] content = new byte[DiskBytes];
            string? ours = image.TryRead(changed, [], content);
            File.WriteAllBytes(path, changed);
            File.Delete(raw);
            string what = string.Join("; ", words);
            // As much as both read: a disk may be vast now.
            string[] line = ["if=" + path, "of=" + raw, "bs=512", "count=400"];
            ToolRun peer = ToolRun.Of("qemu-img", ["dd", "-f", "qcow2", "-O", "raw", .. line]);
            // What is beside a bitmap is for a newer program; QEMU is none.
            bool isOfLater = peer.Output.Contains("extra data", StringComparison.Ordinal);
            if (peer.ExitCode != 0 && !isOfLater)
                Assert.True(ours != null, $"{what}: read, where QEMU says {peer.Output}");
            else if (ours == null && peer.ExitCode == 0)
                Assert.True(Begins(File.ReadAllBytes(raw), content), $"{what}: not what QEMU reads");
        }
    }

    static bool Begins(byte[] theirs, byte[] ours)
    {
        int length = Math.Min(theirs.Length, ours.Length);
        return theirs.AsSpan(0, length).SequenceEqual(ours.AsSpan(0, length));
    }

    /// <summary>Data, zeroes, holes, and compressed clusters.</summary>
    byte[] Original(string options, Prng chance)
    {
        string raw = _folder["content"];
        string path = _folder["original"];
        byte[] content = new byte[DiskBytes];
        for (int at = 0; at < 120 << 10; at += 1500)
            chance.Fill(content.AsSpan(at, 100));
        File.WriteAllBytes(raw, content);
        Tool.Run("qemu-img", "convert", "-t", "unsafe", "-c", "-O", "qcow2", "-o", options, raw, path);
        if (!options.Contains("compat=0.10", StringComparison.Ordinal))
        {
            Tool.Run("qemu-img", "bitmap", "--add", "-g", "512", path, "b");
            Tool.Run("qemu-img", "bitmap", "--add", "-g", "64k", path, "longer name");
        }
        string[] commands = ["-c", "write -P 5 3k 30k", "-c", "write -z 64k 20k", "-c", "write -P 6 140k 7k"];
        Tool.Run("qemu-io", ["-t", "unsafe", .. commands, path]);
        return File.ReadAllBytes(path);
    }
}
