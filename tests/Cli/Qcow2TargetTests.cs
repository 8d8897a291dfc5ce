// A backup that becomes a qcow2 image, as QEMU sees it; and when it does not become one.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class Qcow2TargetTests : IDisposable
{
    readonly TempFolder _folder = new();

    public Qcow2TargetTests()
    {
        Requires.Command("qemu-img");
        Disks.Sparse(_folder["disk.img"], 40 << 20, (0, 5000), (3 << 20, 700_000), (39 << 20, 1 << 20));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ABackup_IsAnImageToQemu()
    {
        Run("backup", "disk.img", "copy.qcow2").Expect(0);
        Qemu("check", "-q", "-f", "qcow2", "copy.qcow2");
        Qemu("compare", "-q", "-f", "qcow2", "-F", "raw", "copy.qcow2", "disk.img");
        Run("compare", "copy.qcow2", "disk.img").Expect(0);
        Assert.StartsWith("clean: ", Run("check", "copy.qcow2").Expect(0).Output);
        Assert.InRange(new FileInfo(_folder["copy.qcow2"]).Length, 1 << 20, 4 << 20);
        Assert.Equal(["copy.qcow2", "disk.img"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void AnImage_IsReplacedByForce()
    {
        Qemu("create", "-q", "-f", "qcow2", "copy.qcow2", "64M");
        Run("backup", "disk.img", "copy.qcow2").Expect(1);
        Run("backup", "disk.img", "copy.qcow2", "--force").Expect(0);
        Run("backup", "disk.img", "copy.qcow2", "--force", "--compress", "zstd").Expect(0);
        Qemu("check", "-q", "-f", "qcow2", "copy.qcow2");
        Qemu("compare", "-q", "-f", "qcow2", "-F", "raw", "copy.qcow2", "disk.img");
        string refused = Run("backup", "disk.img", "copy.qcow2", "--force", "--target-format", "raw").Expect(1).Error;
        Assert.Contains("is an image of format qcow2", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void AnImage_BecomesAnImageOfItsDisk()
    {
        Qemu("convert", "-c", "-O", "qcow2", "disk.img", "packed.qcow2");
        Run("backup", "packed.qcow2", "copy", "--target-format", "qcow2").Expect(0);
        Qemu("check", "-q", "-f", "qcow2", "copy");
        Qemu("compare", "-q", "-f", "qcow2", "-F", "raw", "copy", "disk.img");
        Run("backup", "packed.qcow2", "raw.qcow2", "--target-format", "raw").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["raw.qcow2"]);
        Run("backup", "packed.qcow2", "bytes.qcow2", "--format", "raw").Expect(0);
        Disks.AssertEqual(_folder["packed.qcow2"], _folder["bytes.qcow2"]);
    }

    [Theory]
    [InlineData("zlib")]
    [InlineData("zstd")]
    [InlineData("zstd:19")]
    public void APackedBackup_IsAnImageToQemu_AndShorter(string packing)
    {
        File.WriteAllText(_folder["disk.img"], string.Join(' ', Enumerable.Range(0, 1 << 18))[..(1 << 20)]);
        Run("backup", "disk.img", "copy.qcow2", "--compress", packing).Expect(0);
        Qemu("check", "-q", "-f", "qcow2", "copy.qcow2");
        Qemu("compare", "-q", "-f", "qcow2", "-F", "raw", "copy.qcow2", "disk.img");
        Run("compare", "copy.qcow2", "disk.img").Expect(0);
        Assert.StartsWith("clean: ", Run("check", "copy.qcow2").Expect(0).Output);
        Assert.InRange(new FileInfo(_folder["copy.qcow2"]).Length, 1 << 16, (1 << 20) - 1);
        string info = Programs.Run(_folder.Path, "qemu-img", "info", "copy.qcow2").Expect(0).Output;
        Assert.Contains($"compression type: {packing[..4]}\n", info);
    }

    /// <summary>So that a guest's first write changes no table; what is not written is a hole.</summary>
    [Theory]
    [InlineData("40M")]
    [InlineData("600M")] // an L2 table is about 512 MiB
    public void APreallocatedBackup_HasAPlaceForEachCluster(string size)
    {
        Qemu("resize", "-q", "-f", "raw", "disk.img", size);
        Run("backup", "disk.img", "off.qcow2", "--preallocation", "off").Expect(0);
        Assert.Contains(Map("off.qcow2"), extent => extent!["offset"] == null);
        Run("backup", "disk.img", "copy.qcow2", "--preallocation", "metadata").Expect(0);
        Qemu("check", "-q", "-f", "qcow2", "copy.qcow2");
        Qemu("compare", "-q", "-f", "qcow2", "-F", "raw", "copy.qcow2", "disk.img");
        Run("compare", "copy.qcow2", "disk.img").Expect(0);
        Assert.StartsWith("clean: ", Run("check", "copy.qcow2").Expect(0).Output);
        Assert.All(Map("copy.qcow2"), extent => Assert.Equal(65536 + (long)extent!["start"]!, (long)extent["offset"]!));
        string used = Programs.Run(_folder.Path, "du", "-k", "copy.qcow2").Expect(0).Output.Split('\t')[0];
        Assert.InRange(int.Parse(used, CultureInfo.InvariantCulture), 1 << 10, 4 << 10);
        long before = new FileInfo(_folder["copy.qcow2"]).Length;
        Programs.Run(_folder.Path, "qemu-io", "-c", "write -P 7 20M 1M", "copy.qcow2").Expect(0);
        Assert.Equal(before, new FileInfo(_folder["copy.qcow2"]).Length);
        Qemu("check", "-q", "-f", "qcow2", "copy.qcow2");
    }

    JsonArray Map(string image) =>
        JsonNode
            .Parse(Programs.Run(_folder.Path, "qemu-img", "map", "--output", "json", image).Expect(0).Output)!
            .AsArray();

    [Theory]
    [InlineData]
    [InlineData("--compress", "zstd")]
    public void AnInterruptedBackup_IsNoImage(params string[] more)
    {
        Disks.Random(_folder["full.img"], 24 << 20);
        string[] line = ["backup", "full.img", "copy.qcow2", "--speed", "4MiB", .. more];
        using RunningProgram running = Programs.StartFastbackup(_folder.Path, line);
        string partial = _folder["copy.qcow2.partial"];
        Eventually.True(() =>
            Programs.Run(_folder.Path, "du", "-k", partial) is { ExitCode: 0 } use && use.Output[0] > '1'
        );
        running.Interrupt();
        Assert.Equal(130, running.Wait().ExitCode);
        using FileStream left = File.OpenRead(partial);
        byte[] head = new byte[512];
        left.ReadExactly(head);
        Assert.Equal(new byte[512], head);
        Assert.False(File.Exists(_folder["copy.qcow2"]));
    }

    [Theory]
    [InlineData("always written anew", "disk.img", "copy.qcow2", "--resume")]
    [InlineData("give that with --backing", "disk.img", "copy.qcow2", "--tracker", "t", "--since", "monday")]
    [InlineData("goes into a file", "disk.img", "nbd://localhost/x", "--target-format", "qcow2", "--force")]
    [InlineData("whole sectors of 512", "odd.img", "copy.qcow2")]
    public void WhatCannotBe_IsSaid(string why, params string[] line)
    {
        File.WriteAllBytes(_folder["odd.img"], new byte[1000]);
        string picture = FolderPicture.Take(_folder.Path);
        Run(["backup", .. line]).Expect(1).ExpectSentence(why);
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
    }

    void Qemu(params string[] line) => Programs.Run(_folder.Path, "qemu-img", line).Expect(0);

    ProgramResult Run(params string[] arguments) => Programs.Fastbackup(_folder.Path, arguments);
}
