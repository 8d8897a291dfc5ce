// A new image as the target of a backup: what is written comes back through our reader and QEMU's, its tables agree,
// and before the seal it is no image, wherever the power is cut. Packed or not, on another image or not.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Formats.Qcow2;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

public sealed class NewImageTests
{
    const int DiskBytes = (2 << 20) + 512;
    const int ClusterBytes = 65536;

    public static readonly TheoryData<string> Packings = ["", "zlib", "zstd"];

    static NewImageOptions Options(string packing) =>
        packing.Length == 0
            ? new NewImageOptions()
            : new NewImageOptions
            {
                Packing = new NewImagePacking(
                    packing == "zstd" ? Qcow2Compression.Zstd : Qcow2Compression.Zlib,
                    Level: 1
                ),
            };

    static Fault Write(WrittenImage image, string packing, Prng chance, byte[] expected) =>
        packing.Length == 0
            ? image.Write(chance, expected, 512, 160, mayMeet: true)
            : image.Write(chance, expected, ClusterBytes, 5, mayMeet: false);

    /// <summary>So no job takes it for a target of its own backing file: that is known by the file, not its name.
    /// </summary>
    [Fact]
    public void WhatItIsBasedOn_IsOfItsStorage()
    {
        using TempFolder folder = new();
        File.WriteAllBytes(folder["disk.img"], new byte[DiskBytes]);
        File.WriteAllBytes(folder["other.img"], new byte[DiskBytes]);
        Tool.Run("ln", folder["disk.img"], folder["alias.img"]);
        using OpenedImage disk = OpenedImage.Open(folder["disk.img"]);
        using OpenedImage other = OpenedImage.Open(folder["other.img"]);
        using OpenedImage alias = OpenedImage.Open(folder["alias.img"]);
        using SimulatedLoop loop = new(1);
        NewImageShape shape = new(DiskBytes, new NewImageOptions { BackingName = "alias.img", BackingFormat = "raw" });
        MemoryDevice file = new(loop.Reactor, "file", shape.FileBytesMax);
        BorrowedDevice backing = new(alias.Device, isOwned: false);
        using Qcow2NewImage image = Qcow2NewImage.Create(loop.Reactor, file, shape, backing);
        Assert.True(image.Storage!.Shares(disk.Device.Storage!));
        Assert.True(disk.Device.Storage!.Shares(image.Storage));
        Assert.False(image.Storage.Shares(other.Device.Storage!));
    }

    [Theory]
    [MemberData(nameof(Packings))]
    public void RandomWrites_ComeBack(string packing) =>
        TestSeed.ForEach(
            30,
            seed =>
            {
                using WrittenImage image = new(DiskBytes, Options(packing));
                byte[] expected = new byte[DiskBytes];
                Prng chance = new(seed);
                Assert.True(Write(image, packing, chance, expected).IsNone);
                if (seed % 3 == 0)
                    Assert.True(image.Run(BlockOperation.Flush, 0, 0).IsNone);
                if (seed % 2 == 0)
                    Assert.True(Write(image, packing, chance, expected).IsNone);
                Assert.True(image.Seal().IsNone);
                WrittenImage.AssertImage(image.Content(), expected);
            }
        );

    /// <summary>Written to or not; what was not reads as zero.</summary>
    [Fact]
    public void Preallocated_EveryClusterHasItsPlace() =>
        TestSeed.ForEach(
            30,
            seed =>
            {
                using WrittenImage image = new(DiskBytes, new NewImageOptions { IsPreallocated = true });
                byte[] expected = new byte[DiskBytes];
                Prng chance = new(seed);
                Assert.True(image.Write(chance, expected, 512, 160, mayMeet: true).IsNone);
                if (seed % 2 == 0)
                    Assert.True(image.Write(chance, expected, 512, 160, mayMeet: true).IsNone);
                Assert.False(image.HasHeader);
                Assert.True(image.Seal().IsNone);
                CheckFindings findings = WrittenImage.AssertImage(image.Content(), expected);
                Assert.Equal(findings.TotalClusters, findings.AllocatedClusters);
            }
        );

    [Theory]
    [InlineData(512, "")]
    [InlineData(65536, "")]
    [InlineData(DiskBytes, "")]
    [InlineData(512, "zstd")]
    [InlineData(DiskBytes, "zstd")]
    [InlineData(DiskBytes, "zlib")]
    public void QemuReadsTheSame_AndFindsNothing(int size, string packing)
    {
        Requires.Command("qemu-img");
        using TempFolder folder = new();
        using WrittenImage image = new(size, Options(packing));
        byte[] expected = new byte[size];
        Assert.True(Write(image, packing, new Prng(TestSeed.Next()), expected).IsNone);
        Assert.True(image.Seal().IsNone);
        File.WriteAllBytes(folder["new.qcow2"], image.Content());
        File.WriteAllBytes(folder["expected"], expected);
        Tool.Run("qemu-img", "check", "-q", folder["new.qcow2"]);
        Tool.Run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", folder["new.qcow2"], folder["expected"]);
    }

    /// <summary>In whatever order a disk takes what was not flushed: the header comes behind a flush.</summary>
    [Theory]
    [MemberData(nameof(Packings))]
    public void APowerCut_LeavesTheWholeImageOrNone(string packing)
    {
        Prng chance = new(TestSeed.Next());
        using WrittenImage image = new(DiskBytes, Options(packing));
        byte[] expected = new byte[DiskBytes];
        Assert.True(Write(image, packing, chance, expected).IsNone);
        Assert.True(image.Run(BlockOperation.Flush, 0, 0).IsNone); // as in the middle of a job
        Assert.True(Write(image, packing, chance, expected).IsNone);
        Assert.True(image.Seal().IsNone);
        int whole = 0;
        for (int step = 0; step <= image.File.StepCount; step++)
        for (int i = 0; i < 3; i++)
        {
            byte[] cut = image.File.Cut(step, (int)image.Image.EndBytes, chance);
            if (!cut.AsSpan(0, 4096).ContainsAnyExcept((byte)0))
                continue;
            WrittenImage.AssertImage(cut, expected);
            whole++;
        }
        Assert.InRange(whole, 1, 9);
    }

    /// <summary>Each write and flush of the file fails once: who was told nothing has a whole image.</summary>
    [Theory]
    [MemberData(nameof(Packings))]
    public void AFailureOfTheFile_IsTold_AndLeavesNoImage(string packing)
    {
        ulong seed = TestSeed.Next();
        (int told, int headers) = (0, 0);
        for (int step = 0; ; step++)
        {
            using WrittenImage image = new(DiskBytes, Options(packing));
            image.File.FailingStep = step;
            byte[] expected = new byte[DiskBytes];
            Fault fault = Write(image, packing, new Prng(seed), expected);
            bool isWritten = fault.IsNone;
            if (isWritten)
                fault = image.Seal();
            if (fault.IsNone)
            {
                Assert.Equal(image.File.StepCount, step);
                WrittenImage.AssertImage(image.Content(), expected);
                break;
            }
            Assert.Equal(FaultKind.Io, fault.Kind);
            told++;
            if (!image.HasHeader)
                continue;
            Assert.True(isWritten, "the header is there, and not what it names");
            WrittenImage.AssertImage(image.Content(), expected);
            headers++;
        }
        Assert.InRange(headers, 1, 2); // of its own write, which got there, and of the flush behind it
        Assert.InRange(told, 5, 1000);
    }

    [Fact]
    public void WhatIsSealed_TakesNoMore()
    {
        using WrittenImage image = new(DiskBytes);
        Assert.Equal(FaultKind.None, image.Run(BlockOperation.Write, DiskBytes - 512, 512).Kind);
        Assert.Equal(FaultKind.Range, image.Run(BlockOperation.Write, DiskBytes, 512).Kind);
        Assert.Equal(FaultKind.Unsupported, image.Run(BlockOperation.Read, 0, 512).Kind);
        Assert.Equal(FaultKind.None, image.Seal().Kind);
        Assert.Equal(FaultKind.State, image.Run(BlockOperation.Write, 0, 512).Kind);
        Assert.Equal(FaultKind.State, image.Seal().Kind);
    }
}
