// The check of an image against qemu-img check: what is clean is clean to both, what was broken is broken to both, and
// a hostile image has an answer.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.Json;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

public sealed class Qcow2CheckTests : IDisposable
{
    const int PeerFew = 12;
    const int Few = 1500;

    readonly TempFolder _folder = new();

    public Qcow2CheckTests() => Requires.Command("qemu-img");

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Options =>
        [
            "compat=0.10,cluster_size=4k",
            "cluster_size=512,refcount_bits=1",
            "cluster_size=4k,refcount_bits=2",
            "cluster_size=4k,refcount_bits=4",
            "cluster_size=64k,refcount_bits=8",
            "cluster_size=4k,refcount_bits=64,compression_type=zstd",
            "cluster_size=16k,extended_l2=on,refcount_bits=32",
        ];

    [Theory]
    [MemberData(nameof(Options))]
    public void WhatQemuWrites_IsClean(string options)
    {
        byte[] image = Create(options);
        CheckFindings ours = Check(image, out string? refusal)!;
        Assert.Null(refusal);
        Assert.Equal((null, 0ul, 0ul), (ours.Incomplete, ours.Corruptions, ours.Leaks));
        using JsonDocument peer = Peer(image);
        Assert.Equal(Number(peer, "total-clusters"), ours.TotalClusters);
        Assert.Equal(Number(peer, "allocated-clusters"), ours.AllocatedClusters);
        Assert.Equal(Number(peer, "compressed-clusters"), ours.CompressedClusters);
        Assert.Equal(Number(peer, "image-end-offset"), ours.EndBytes);
    }

    [Theory]
    [InlineData("cluster_size=4k,refcount_bits=4")]
    [InlineData("cluster_size=64k")]
    [InlineData("cluster_size=16k,extended_l2=on")]
    public void WhatIsBrokenToQemu_IsBrokenToUs(string options)
    {
        byte[] original = Create(options);
        Prng chance = new(TestSeed.Next());
        int count = Scaled(PeerFew, 40);
        for (int i = 0; i < count; i++)
        {
            List<string> words = [];
            byte[] image =
                i % 3 == 0 ? BreakCount(original, chance, words) : ImageMutation.Make(original, chance, words);
            CheckFindings? ours = Check(image, out _);
            using JsonDocument peer = Peer(image);
            string what = $"{options}: {string.Join("; ", words)}";
            string theirs = peer.RootElement.ValueKind == JsonValueKind.Null ? "refused" : Verdict(peer);
            // What cannot be told for certain is no verdict on either side.
            if (ours is null or { Incomplete: not null } || theirs == "refused")
                continue;
            string own =
                ours.Corruptions > 0 ? "corrupt"
                : ours.Leaks > 0 ? "leaks"
                : "clean";
            Assert.True(own == theirs, $"{what}: {own}, to QEMU {theirs}: {string.Join("; ", ours.Sentences)}");
        }
    }

    [Fact]
    public void HostileImages_HaveAnAnswer()
    {
        byte[][] originals = [Create("cluster_size=512,refcount_bits=1"), Create("cluster_size=16k,extended_l2=on")];
        ulong seed = TestSeed.Next();
        Prng chance = new(seed);
        int count = Scaled(Few, 1);
        for (int i = 0; i < count; i++)
        {
            List<string> words = [];
            byte[] image = ImageMutation.Make(originals[i % 2], chance, words);
            if (i % 4 == 0)
                image = BreakCount(image, chance, words);
            try
            {
                _ = Check(image, out _);
            }
            catch (Exception exception)
            {
                Assert.Fail($"seed {seed}, image {i} ({string.Join("; ", words)}): {exception}");
            }
        }
    }

    static int Scaled(int few, int part) =>
        Environment.GetEnvironmentVariable("FASTBACKUP_FUZZ") is { Length: > 0 } given
            ? int.Parse(given, CultureInfo.InvariantCulture) / part
            : few;

    static CheckFindings? Check(byte[] image, out string? refusal)
    {
        FileImage reader = new(image);
        OpenRefusal wrong = Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header);
        refusal = wrong.IsNone ? null : wrong.Sentence;
        return header == null ? null : Qcow2Check.Run(reader, header);
    }

    /// <summary>A count in some block, or an entry of the table of blocks.</summary>
    static byte[] BreakCount(byte[] original, Prng chance, List<string> words)
    {
        byte[] image = (byte[])original.Clone();
        int table = (int)BinaryPrimitives.ReadUInt64BigEndian(original.AsSpan(48));
        if (table < 0 || table + 8 > image.Length)
            return image;
        int block = (int)BinaryPrimitives.ReadUInt64BigEndian(original.AsSpan(table));
        if (block <= 0 || block + 64 > image.Length)
            return image;
        int at = block + (int)chance.Below(24);
        image[at] ^= (byte)(1 << (int)chance.Below(8));
        words.Add(string.Create(CultureInfo.InvariantCulture, $"count at {at}"));
        return image;
    }

    JsonDocument Peer(byte[] image)
    {
        string path = _folder["checked"];
        File.WriteAllBytes(path, image);
        ToolRun run = ToolRun.Of("qemu-img", ["check", "--output=json", "-f", "qcow2", path]);
        int start = run.Output.IndexOf('{', StringComparison.Ordinal);
        int end = run.Output.LastIndexOf('}');
        return run.ExitCode is 0 or 2 or 3 && start >= 0
            ? JsonDocument.Parse(run.Output[start..(end + 1)])
            : JsonDocument.Parse("null");
    }

    static string Verdict(JsonDocument peer) =>
        Number(peer, "corruptions") > 0 || Number(peer, "check-errors") > 0 ? "corrupt"
        : Number(peer, "leaks") > 0 ? "leaks"
        : "clean";

    static ulong Number(JsonDocument document, string name) =>
        document.RootElement.TryGetProperty(name, out JsonElement value) ? value.GetUInt64() : 0;

    /// <summary>Data, zeroes, compressed clusters, a snapshot where counts can be 2, and a bitmap.</summary>
    byte[] Create(string options)
    {
        string path = _folder["original"];
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, "1M");
        // A few bits cannot count what compressed clusters share once more.
        bool canShare = !Array.Exists(
            ["=1", "=2", "=4"],
            few => options.EndsWith("bits" + few, StringComparison.Ordinal)
        );
        string[] first = ["-c", "write -P 5 3k 70k", "-c", "write -z 256k 64k", "-c", "write -c -P 8 512k 64k"];
        _ = Tool.RunToCode(1, "qemu-io", ["-t", "unsafe", .. first, path]);
        if (canShare)
            Tool.Run("qemu-img", "snapshot", "-c", "one", path);
        string[] second = ["-c", "write -P 6 16k 40k", "-c", "write -P 9 700k 100k", "-c", "discard 512k 16k"];
        Tool.Run("qemu-io", ["-t", "unsafe", .. second, path]);
        if (!options.Contains("0.10", StringComparison.Ordinal))
            Tool.Run("qemu-img", "bitmap", "--add", path, "changes");
        return File.ReadAllBytes(path);
    }
}
