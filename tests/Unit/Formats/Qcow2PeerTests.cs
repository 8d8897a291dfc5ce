// Images as QEMU makes them, over all features that are read: every byte is QEMU's, in pieces of any size, and the map
// says of each byte what qemu-img map says.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Ports;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

[Trait("Length", "Long")] // not in the quick check
public sealed class Qcow2PeerTests : IDisposable
{
    const int DiskBytes = 6 * 1024 * 1024 + 512 * 3; // no whole number of clusters

    readonly TempFolder _folder = new();
    readonly Prng _chance = new(TestSeed.Next());

    public Qcow2PeerTests() => Requires.Command("qemu-img");

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Options =>
        [
            "compat=0.10",
            "compat=0.10,cluster_size=512",
            "compat=1.1,cluster_size=512,refcount_bits=1",
            "cluster_size=4k,refcount_bits=64",
            "cluster_size=64k",
            "cluster_size=2M",
            "extended_l2=on,cluster_size=16k",
            "extended_l2=on,cluster_size=2M",
            "preallocation=metadata",
            "lazy_refcounts=on,compression_type=zstd",
            "data_file=DATA,data_file_raw=off",
            "data_file=DATA,data_file_raw=on",
        ];

    [Theory]
    [MemberData(nameof(Options))]
    public void WhatQemuWrites_IsRead(string options)
    {
        string path = Create("top.qcow2", options, []);
        Write(path, 40, mayCompress: options.Contains("compat", StringComparison.Ordinal));
        AssertSame(path);
    }

    [Theory]
    [InlineData("cluster_size=512,compression_type=zlib")]
    [InlineData("cluster_size=64k,compression_type=zlib")]
    [InlineData("cluster_size=64k,compression_type=zstd")]
    [InlineData("cluster_size=2M,compression_type=zstd")]
    [InlineData("cluster_size=32k,extended_l2=on,compression_type=zstd")]
    public void CompressedClusters_AreRead(string options)
    {
        string raw = _folder["raw"];
        byte[] content = new byte[DiskBytes];
        for (int at = 0; at < content.Length; at += 3000) // compressible, with parts that are not and holes
            _chance.Fill(content.AsSpan(at, (int)_chance.Below(400) + 1));
        content.AsSpan(2 << 20, 1 << 20).Clear();
        File.WriteAllBytes(raw, content);
        string path = _folder["packed.qcow2"];
        Tool.Run("qemu-img", "convert", "-t", "unsafe", "-c", "-O", "qcow2", "-o", options, raw, path);
        Write(path, 10, mayCompress: false); // some are overwritten
        AssertSame(path);
    }

    [Theory]
    [InlineData("cluster_size=64k", "qcow2")]
    [InlineData("cluster_size=4k", "raw")]
    [InlineData("extended_l2=on,cluster_size=64k", "qcow2")]
    public void AChain_IsReadThroughAllItsLayers(string options, string floor)
    {
        string below = floor == "raw" ? "base.raw" : "base.qcow2";
        if (floor == "raw")
            Tool.Run("qemu-img", "create", "-q", "-f", "raw", _folder[below], "3000k");
        else
            Create(below, "cluster_size=8k", [], "3000k");
        Write(_folder[below], 20, mayCompress: false, format: floor);
        Directory.CreateDirectory(_folder["sub"]);
        Create("sub/middle.qcow2", options, ["-b", "../" + below, "-F", floor]); // longer than what is below
        Write(_folder["sub/middle.qcow2"], 12, mayCompress: false);
        Create("top.qcow2", "compression_type=zstd", ["-b", "sub/middle.qcow2", "-F", "qcow2"], "5M");
        Write(_folder["top.qcow2"], 8, mayCompress: true);
        AssertSame(_folder["top.qcow2"]);
    }

    [Fact]
    public void InternalSnapshots_AreNoPartOfTheDisk()
    {
        string path = Create("top.qcow2", "cluster_size=4k", []);
        Write(path, 15, mayCompress: false);
        Tool.Run("qemu-img", "snapshot", "-c", "before", path);
        Write(path, 15, mayCompress: false);
        AssertSame(path);
    }

    [Fact]
    public void ADirtyImage_IsRead()
    {
        string path = Create("top.qcow2", "lazy_refcounts=on", []);
        // Killed in the middle: the refcounts are behind, the data is there.
        Tool.RunToCode(134, "qemu-io", "-c", "write -P 7 1M 100k", "-c", "flush", "-c", "abort", path);
        byte[] head = File.ReadAllBytes(path);
        Assert.Equal(1, head[79] & 1);
        AssertSame(path);
    }

    string Create(string name, string options, string[] more, string? size = null)
    {
        options = options.Replace("DATA", Tool.Option(_folder["guest.data"]), StringComparison.Ordinal);
        string[] line = ["create", "-q", "-f", "qcow2", "-o", options, .. more, _folder[name]];
        Tool.Run("qemu-img", [.. line, size ?? DiskBytes.ToString(CultureInfo.InvariantCulture)]);
        return _folder[name];
    }

    /// <summary>What a guest does.</summary>
    void Write(string path, int count, bool mayCompress, string format = "qcow2")
    {
        List<string> line = ["-t", "unsafe", "-f", format];
        long size = format == "raw" ? new FileInfo(path).Length : SizeOf(path);
        for (int i = 0; i < count; i++)
        {
            long offset = (long)_chance.Below((ulong)size / 512 - 1) * 512;
            long length = Math.Min(size - offset, (long)(_chance.Below(300) + 1) * 512);
            ulong what = _chance.Below(10);
            string command =
                what < 6 ? $"write -P {_chance.Below(255) + 1}"
                : what < 8 ? "write -z"
                : what < 9 ? "write -z -u"
                : "discard";
            if (mayCompress && i % 8 == 7)
                (command, offset, length) = ("write -c -P 33", offset / (2 << 20) * (2 << 20), 64 << 10);
            line.AddRange(["-c", string.Create(CultureInfo.InvariantCulture, $"{command} {offset} {length}")]);
        }
        line.Add(path);
        _ = Tool.RunToCode(1, "qemu-io", [.. line]); // 1: a compressed write that the image does not take
    }

    static long SizeOf(string path)
    {
        byte[] head = new byte[32];
        using FileStream file = File.OpenRead(path);
        file.ReadExactly(head);
        return (long)System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(24));
    }

    void AssertSame(string path)
    {
        string raw = _folder["expected"];
        Tool.Run("qemu-img", "convert", "-t", "unsafe", "-O", "raw", path, raw);
        byte[] expected = File.ReadAllBytes(raw);
        using OpenedImage image = OpenedImage.Open(path);
        Assert.Equal((ulong)expected.Length, image.Device.Limits.CapacityBytes);
        foreach (int pieceBytes in new[] { 1 << 20, 64 << 10, 4 << 10, 512 * 37, (int)_chance.Below(20_000) + 777 })
        {
            byte[] got = new byte[expected.Length];
            for (int at = 0; at < got.Length; at += 2 << 20)
            {
                Span<byte> part = got.AsSpan(at, Math.Min(2 << 20, got.Length - at));
                Fault fault = image.Read((ulong)at, part, pieceBytes);
                Assert.True(fault.IsNone, fault.ToString());
            }
            int same = expected.AsSpan().CommonPrefixLength(got);
            Assert.True(same == expected.Length, $"differs at {same}, read by {pieceBytes}");
        }
        AssertSameMap(path, image, expected);
    }

    static void AssertSameMap(string path, OpenedImage image, byte[] expected)
    {
        using JsonDocument peer = JsonDocument.Parse(Tool.Run("qemu-img", "map", "--output=json", path));
        List<MapEntry> ours = image.Map();
        foreach (MapEntry entry in ours.Where(entry => entry.ReadsAsZero))
        {
            ReadOnlySpan<byte> part = expected.AsSpan((int)entry.OffsetBytes, (int)entry.LengthBytes);
            Assert.False(part.ContainsAnyExcept((byte)0), $"no zeroes at {entry.OffsetBytes}");
        }
        foreach (JsonElement theirs in peer.RootElement.EnumerateArray())
        {
            ulong start = theirs.GetProperty("start").GetUInt64();
            ulong end = start + theirs.GetProperty("length").GetUInt64();
            foreach (MapEntry entry in ours.Where(one => one.OffsetBytes < end))
            {
                if (entry.OffsetBytes + entry.LengthBytes <= start)
                    continue;
                // QEMU looks into the files below: what is a hole there it calls zero, and present.
                bool isData = theirs.GetProperty("data").GetBoolean();
                if (isData || entry.Kind == ExtentKind.Zero)
                    Assert.Equal(
                        (isData, theirs.GetProperty("depth").GetUInt32()),
                        (entry.Kind == ExtentKind.Data, entry.Depth)
                    );
            }
        }
    }
}
