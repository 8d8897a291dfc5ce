// Images that are made empty: what QEMU finds in them, whatever their shape is, and that none is there before its
// header.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using FastBackup.Base;
using FastBackup.Formats.Qcow2;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

public sealed class BlankImageTests : IDisposable
{
    const ulong DiskBytes = 3 * Units.MiB + 512;
    const int FileBytesMax = 24 << 20;

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static BlankImageOptions Any => new() { SizeBytes = DiskBytes };

    public static TheoryData<int> ClusterBits => [.. Enumerable.Range(9, 13)];

    [Theory]
    [MemberData(nameof(ClusterBits))]
    public void EveryShape_IsCleanToQemu_AndTakesWrites(int clusterBits)
    {
        Requires.Command("qemu-img");
        foreach (int order in (int[])[clusterBits % 7, (clusterBits + 3) % 7])
        {
            BlankImageOptions options = Any with
            {
                ClusterBytes = 1ul << clusterBits,
                RefcountBits = 1u << order,
                IsPreallocated = order % 2 == 0,
                HasSubclusters = clusterBits >= 14 && order != clusterBits % 7,
                Compression = order > 3 ? Qcow2Compression.Zstd : Qcow2Compression.Zlib,
                IsLazy = order == 5,
            };
            MemoryFile file = Make(options);
            AssertClean(file.Content);
            string path = _folder["d.qcow2"];
            File.WriteAllBytes(path, file.Content);
            Tool.Run("qemu-img", "check", "-q", path);
            JsonNode info = JsonNode.Parse(Tool.Run("qemu-img", "info", "--output=json", path))!;
            JsonNode details = info["format-specific"]!["data"]!;
            Assert.Equal(DiskBytes, (ulong)info["virtual-size"]!);
            Assert.Equal(options.ClusterBytes, (ulong)info["cluster-size"]!);
            Assert.Equal(options.RefcountBits, (uint)details["refcount-bits"]!);
            Assert.Equal(options.HasSubclusters, (bool)details["extended-l2"]!);
            Assert.Equal(options.IsLazy, (bool)details["lazy-refcounts"]!);
            JsonArray map = JsonNode.Parse(Tool.Run("qemu-img", "map", "--output=json", path))!.AsArray();
            Assert.All(map, entry => Assert.Equal(options.IsPreallocated, (bool)entry!["data"]!));
            string[] line = ["-t", "unsafe", "-c", "read -P 0 0 3145728", "-c", "write -P 7 1000k 700k", path];
            Assert.DoesNotContain("verification failed", Tool.Run("qemu-io", line));
            Tool.Run("qemu-img", "check", "-q", path);
        }
    }

    [Fact]
    public void WhatIsNamed_IsThere()
    {
        Requires.Command("qemu-img");
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", _folder["base.qcow2"], "1M");
        BlankImageOptions options = Any with { BackingName = "base.qcow2", BackingFormat = "qcow2", Version = 2 };
        File.WriteAllBytes(_folder["d.qcow2"], Make(options).Content);
        Tool.Run("qemu-img", "check", "-q", _folder["d.qcow2"]);
        JsonNode info = JsonNode.Parse(Tool.Run("qemu-img", "info", "--output=json", _folder["d.qcow2"]))!;
        Assert.Equal("base.qcow2", (string?)info["backing-filename"]);
        Assert.Equal("qcow2", (string?)info["backing-filename-format"]);
        Assert.Equal("0.10", (string?)info["format-specific"]!["data"]!["compat"]);
        using (FileStream data = File.Create(_folder["data"]))
            data.SetLength((long)DiskBytes);
        options = Any with { DataFileName = _folder["data"], IsDataFileRaw = true, IsPreallocated = true };
        File.WriteAllBytes(_folder["e.qcow2"], Make(options).Content);
        Tool.Run("qemu-io", "-t", "unsafe", "-c", "write -P 9 1M 100k", _folder["e.qcow2"]);
        Tool.Run("qemu-img", "check", "-q", _folder["e.qcow2"]);
        Assert.Equal(9, File.ReadAllBytes(_folder["data"])[1 << 20]);
        info = JsonNode.Parse(Tool.Run("qemu-img", "info", "--output=json", _folder["e.qcow2"]))!;
        Assert.True((bool)info["format-specific"]!["data"]!["data-file-raw"]!);
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(512ul)]
    [InlineData(16 * Units.TiB)]
    public void AnySize_IsClean(ulong sizeBytes)
    {
        BlankImageOptions options = Any with { SizeBytes = sizeBytes };
        AssertClean(Make(options).Content);
    }

    /// <summary>A power cut leaves all of it, or what nobody takes for an image.</summary>
    [Fact]
    public void BeforeItsHeader_ThereIsNoImage()
    {
        Prng chance = new(TestSeed.Next());
        MemoryFile file = Make(Any with { ClusterBytes = 4096, IsPreallocated = true });
        int whole = 0;
        for (int steps = 0; steps <= file.StepCount; steps++)
        {
            byte[] cut = file.Cut(steps, chance);
            bool hasHeader = cut.Length >= 4 && cut[0] == 'Q';
            whole += hasHeader ? 1 : 0;
            if (hasHeader)
                AssertClean(cut.Length < file.Content.Length ? [.. cut, .. new byte[4096]] : cut);
        }
        Assert.InRange(whole, 1, file.StepCount / 2);
    }

    [Theory]
    [InlineData("whole sectors", 513ul, 65536ul, 16u, 3u)]
    [InlineData("power of two from 512", 512ul, 1000ul, 16u, 3u)]
    [InlineData("power of two from 512", 512ul, 4194304ul, 16u, 3u)]
    [InlineData("power of two of bits", 512ul, 65536ul, 17u, 3u)]
    [InlineData("take v3", 512ul, 65536ul, 8u, 2u)]
    [InlineData("takes larger clusters", 1ul << 50, 512ul, 16u, 3u)]
    public void WhatCannotBe_IsSaid(string why, ulong size, ulong cluster, uint bits, uint version)
    {
        BlankImageOptions options = new()
        {
            SizeBytes = size,
            ClusterBytes = cluster,
            RefcountBits = bits,
            Version = version,
        };
        Assert.Contains(why, BlankImage.TryPlan(options, out BlankImage? image), StringComparison.Ordinal);
        Assert.Null(image);
    }

    [Fact]
    public void WhatContradictsItself_IsSaid()
    {
        BlankImageOptions based = Any with { BackingName = "b", BackingFormat = "raw" };
        Refused("16 KiB at least", Any with { HasSubclusters = true, ClusterBytes = 8192 });
        Refused("is about a data-file", Any with { IsDataFileRaw = true });
        Refused("the one or the other", based with { IsPreallocated = true });
        Refused("do not fit", based with { BackingName = new string('x', 500), ClusterBytes = 512 });
    }

    static void Refused(string why, BlankImageOptions options) =>
        Assert.Contains(why, BlankImage.TryPlan(options, out _), StringComparison.Ordinal);

    static MemoryFile Make(BlankImageOptions options)
    {
        Assert.Null(BlankImage.TryPlan(options, out BlankImage? image));
        MemoryFile file = new([], FileBytesMax);
        Assert.True(image!.Write(file).IsNone);
        return file;
    }

    static void AssertClean(byte[] content)
    {
        FileImage reader = new(content);
        Assert.True(Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone);
        CheckFindings findings = Qcow2Check.Run(reader, header!);
        string said = string.Join("; ", findings.Sentences) + findings.Incomplete;
        Assert.True(
            findings is { Corruptions: 0, Leaks: 0, Incomplete: null },
            string.Create(CultureInfo.InvariantCulture, $"{header!.ClusterBytes}, {header.RefcountOrder}: {said}")
        );
    }
}
