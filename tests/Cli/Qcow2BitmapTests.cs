// Persistent dirty bitmaps of qcow2 images: what QEMU has recorded is copied here, offline; what is recorded here is
// QEMU's afterwards.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class Qcow2BitmapTests : IDisposable
{
    readonly TempFolder _folder = new();

    public Qcow2BitmapTests() => Requires.Command("qemu-img");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("cluster_size=64k", "64k")]
    [InlineData("cluster_size=512", "4k")]
    [InlineData("cluster_size=4k", "512")]
    [InlineData("cluster_size=2M", "1M")]
    public void WhatQemuHasRecorded_IsCopied_AndBeginsAnew(string options, string granularity)
    {
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "d.qcow2", "40M");
        Qemu("qemu-img", "bitmap", "--add", "-g", granularity, "d.qcow2", "b");
        Qemu("qemu-img", "bitmap", "--add", "d.qcow2", "other");
        Qemu("qemu-io", "-c", "write -P 1 0 9M", "-c", "write -P 2 30M 1M", "d.qcow2");
        Run("backup", "d.qcow2", "full.qcow2", "--clear-bitmap", "b").Expect(0);
        Same("full.qcow2");
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        string below = "full.qcow2";
        for (int day = 1; day <= 3; day++)
        {
            Qemu("qemu-io", "-c", $"write -P 3{day} {day}M 5k", "-c", $"write -z {31 + day}M 300k", "d.qcow2");
            string target = $"inc{day}.qcow2";
            string[] line = ["backup", "d.qcow2", target, "--backing", below, "--bitmap", "b", "--clear-bitmap", "b"];
            ProgramResult run = Run(line).Expect(0);
            Assert.Contains("marked in bitmap 'b'", run.Output);
            Same(target);
            Qemu("qemu-img", "check", "-q", target);
            Qemu("qemu-img", "check", "-q", "d.qcow2");
            Assert.True(new FileInfo(_folder[target]).Length < 6 << 20, "more than what has changed");
            below = target;
        }
        // The other one has all of it, and completes a raw copy from the beginning.
        Disks.Hole(_folder["copy.img"], 40 << 20);
        Run("backup", "d.qcow2", "copy.img", "--bitmap", "other").Expect(0);
        Qemu("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", "d.qcow2", "copy.img");
        string info = Run("info", "d.qcow2").Expect(0).Output;
        Assert.Contains("b (", info);
        Assert.Matches(@"other \(64(\.0)? KiB, recording\)", info);
    }

    [Fact]
    public void OneThatIsInUse_IsRefused_UntilAFullCopy()
    {
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "d.qcow2", "8M");
        Qemu("qemu-img", "bitmap", "--add", "d.qcow2", "b");
        _ = Tool.RunToCode(
            134,
            "qemu-io",
            "-c",
            "write -P 7 1M 100k",
            "-c",
            "flush",
            "-c",
            "abort",
            _folder["d.qcow2"]
        );
        Assert.Contains("in use", Run("info", "d.qcow2").Expect(0).Output);
        byte[] before = File.ReadAllBytes(_folder["d.qcow2"]);
        Run("backup", "d.qcow2", "inc.qcow2", "--bitmap", "b").Expect(1).ExpectSentence("--backing");
        Disks.Hole(_folder["copy.img"], 8 << 20);
        Run("backup", "d.qcow2", "copy.img", "--bitmap", "b")
            .Expect(1)
            .ExpectSentence("bitmap 'b' of 'd.qcow2' is inconsistent", "full copy", "--clear-bitmap b");
        Run("backup", "d.qcow2", "copy.img", "--bitmap", "c").Expect(1).ExpectSentence("no bitmap 'c'");
        Assert.Equal(before, File.ReadAllBytes(_folder["d.qcow2"]));
        Run("backup", "d.qcow2", "full.qcow2", "--clear-bitmap", "b").Expect(0);
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        Qemu("qemu-io", "-c", "write -P 8 2M 100k", "d.qcow2");
        Run("backup", "d.qcow2", "inc.qcow2", "--backing", "full.qcow2", "--bitmap", "b").Expect(0);
        Same("inc.qcow2");
    }

    [Fact]
    public void WhatCannotBe_IsSaid()
    {
        Disks.Random(_folder["raw.img"], 1 << 20);
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "d.qcow2", "1M");
        Run("backup", "raw.img", "c.img", "--clear-bitmap", "b").Expect(1).ExpectSentence("no qcow2 image");
        Run("backup", "raw.img", "c.img", "--bitmap", "b").Expect(1).ExpectSentence("none has bitmaps");
        Run("backup", "d.qcow2", "c.img", "--clear-bitmap", "b").Expect(1).ExpectSentence("has no bitmap 'b'");
        Run("backup", "d.qcow2", "c.img", "--clear-bitmap", "b", "--sync", "top").Expect(2);
        Run("backup", "d.qcow2", "c.img", "--clear-bitmap", "b", "--bitmap", "c").Expect(2);
        Assert.False(File.Exists(_folder["c.img"]));
    }

    void Same(string copy) => Qemu("qemu-img", "compare", "-q", "d.qcow2", copy);

    ProgramResult Run(params string[] line) => Programs.Fastbackup(_folder.Path, line);

    void Qemu(string program, params string[] line) => Programs.Run(_folder.Path, program, line).Expect(0);
}
