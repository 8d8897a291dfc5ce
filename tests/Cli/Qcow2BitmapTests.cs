// Persistent dirty bitmaps of qcow2 images: what QEMU has recorded is copied here, offline; what is recorded here is
// QEMU's afterwards.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Tests;
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
        Qemu("qemu-img", "bitmap", "--add", "-g", "64k", "d.qcow2", "other");
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

    /// <summary>The same writes by QEMU to one image, and by us to its twin: the bitmaps are the same.</summary>
    [Theory]
    [InlineData("cluster_size=64k", "4k", false)]
    [InlineData("cluster_size=64k", "4k", true)]
    [InlineData("cluster_size=512", "64k", false)]
    [InlineData("cluster_size=16k,extended_l2=on", "512", true)]
    [InlineData("cluster_size=2M", "1M", false)]
    [InlineData("cluster_size=4k,refcount_bits=1", "128k", true)]
    public void AServedImage_RecordsAsQemuDoes(string options, string granularity, bool hasDiscards)
    {
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "d.qcow2", "24M");
        Qemu("qemu-img", "bitmap", "--add", "-g", granularity, "d.qcow2", "b");
        Qemu("qemu-img", "bitmap", "--add", "--disable", "-g", granularity, "d.qcow2", "still");
        Qemu("qemu-io", "-c", "write -P 1 1M 3M", "d.qcow2");
        File.Copy(_folder["d.qcow2"], _folder["twin.qcow2"]);
        string[] trace = Trace(new Prng(TestSeed.Next()), 24 << 20, hasDiscards);
        Qemu("qemu-io", [.. trace, "twin.qcow2"]);
        using (RunningProgram server = Serve())
        {
            Qemu("qemu-io", ["-f", "raw", .. trace, Uri]);
            Assert.Contains("in-use", Qemu("qemu-img", "info", "-U", "d.qcow2"));
            server.Signal("TERM");
            server.Wait().Expect(0);
        }
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        if (!hasDiscards) // what is discarded may be anything
            Qemu("qemu-img", "compare", "-q", "d.qcow2", "twin.qcow2");
        Assert.DoesNotContain("in-use", Qemu("qemu-img", "info", "d.qcow2"));
        foreach (string bitmap in new[] { "b", "still" })
            Assert.Equal(Marked("twin.qcow2", bitmap), Marked("d.qcow2", bitmap));
    }

    /// <summary>The disk becomes larger in between: ours while it is served, its twin by qemu-img.</summary>
    [Theory]
    [InlineData("cluster_size=64k", "4k")]
    [InlineData("cluster_size=512", "512")]
    [InlineData("cluster_size=16k,extended_l2=on", "1M")]
    public void AServedImageThatBecomesLarger_RecordsAsQemuDoes(string options, string granularity)
    {
        const string larger = "62915072"; // the last granule is a part of one
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "d.qcow2", "24M");
        Qemu("qemu-img", "bitmap", "--add", "-g", granularity, "d.qcow2", "b");
        Qemu("qemu-img", "bitmap", "--add", "--disable", "-g", granularity, "d.qcow2", "still");
        File.Copy(_folder["d.qcow2"], _folder["twin.qcow2"]);
        Prng chance = new(TestSeed.Next());
        string[] before = Trace(chance, 24 << 20, hasDiscards: false);
        string[] after = [.. Trace(chance, 59 << 20, hasDiscards: false), "-c", "write -P 7 62914560 512"];
        Qemu("qemu-io", [.. before, "twin.qcow2"]);
        Qemu("qemu-img", "resize", "-q", "twin.qcow2", larger);
        Qemu("qemu-io", [.. after, "twin.qcow2"]);
        using (RunningProgram server = Serve())
        {
            Run("ctl", "m", "block_resize", "node-name=disk", "size=30000128").Expect(0); // and before any write
            Qemu("qemu-io", ["-f", "raw", .. before, Uri]);
            Run("ctl", "m", "block_resize", "node-name=disk", "size=" + larger).Expect(0);
            Qemu("qemu-io", ["-f", "raw", .. after, Uri]);
            server.Signal("TERM");
            server.Wait().Expect(0);
        }
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        Qemu("qemu-img", "compare", "-q", "d.qcow2", "twin.qcow2");
        string info = Qemu("qemu-img", "info", "d.qcow2");
        Assert.DoesNotContain("in-use", info);
        Assert.Contains($"({larger} bytes)", info);
        foreach (string bitmap in new[] { "b", "still" })
            Assert.Equal(Marked("twin.qcow2", bitmap), Marked("d.qcow2", bitmap));
    }

    /// <summary>Nobody opened the image any more.</summary>
    [Fact]
    public void OneOfMoreBitsThanAnImageHolds_IsRefused()
    {
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "d.qcow2", "64M");
        Qemu("qemu-img", "bitmap", "--add", "-g", "512", "d.qcow2", "b");
        string[] add = ["ctl", "m", "block-dirty-bitmap-add", "node=disk", "name=c", "persistent=true"];
        using (RunningProgram server = Serve())
        {
            string[] resize = ["ctl", "m", "block_resize", "node-name=disk", "size=4398046511104"];
            Run(resize)
                .Expect(1)
                .ExpectSentence("bitmap 'b' of disk 'disk' would have more bits than an image can hold");
            Run("ctl", "m", "block-dirty-bitmap-remove", "node=disk", "name=b").Expect(0);
            Run(resize).Expect(0);
            Run([.. add, "granularity=512"]).Expect(1).ExpectSentence("Too much space will be occupied by the bitmap");
            Run([.. add, "granularity=65536"]).Expect(0);
            server.Signal("TERM");
            server.Wait().Expect(0);
        }
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        Assert.Contains("name: c", Qemu("qemu-img", "info", "d.qcow2"));
    }

    [Fact]
    public void OneThatAMonitorAdds_IsQemusAfterwards()
    {
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "base.qcow2", "16M");
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "d.qcow2");
        using (RunningProgram server = Serve())
        {
            Qemu("qemu-io", "-f", "raw", "-c", "write -P 1 0 1M", Uri);
            string[] add = ["ctl", "m", "block-dirty-bitmap-add", "node=disk", "name=b", "persistent=true"];
            Run([.. add, "granularity=65536"]).Expect(0);
            Run([.. add]).Expect(1);
            Run("ctl", "m", "block-dirty-bitmap-add", "node=disk", "name=c").Expect(0);
            Assert.Contains("\"persistent\": true", Run("ctl", "m", "query-named-block-nodes").Expect(0).Output);
            Qemu("qemu-io", "-f", "raw", "-c", "write -P 2 3M 200k", "-c", "write -z 8M 70k", Uri);
            server.Signal("TERM");
            server.Wait().Expect(0);
        }
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        string info = Qemu("qemu-img", "info", "d.qcow2");
        Assert.Contains("name: b", info);
        Assert.DoesNotContain("name: c", info);
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "full.qcow2");
        Qemu("qemu-io", "-c", "write -P 1 0 1M", "full.qcow2"); // the disk when the bitmap was added
        Qemu("qemu-io", "-c", "write -P 5 12M 5k", "d.qcow2"); // QEMU records in it
        Run("backup", "d.qcow2", "ours.qcow2", "--backing", "full.qcow2", "--bitmap", "b").Expect(0);
        QemuTopBackup.Run(_folder, "d.qcow2", "theirs.qcow2", "full.qcow2", "b");
        Same("ours.qcow2");
        Same("theirs.qcow2");
        // Cleared by QEMU; served again, and cleared by us.
        Assert.DoesNotContain("\"data\": false", Marked("d.qcow2", "b"));
        using (RunningProgram server = Serve())
        {
            Qemu("qemu-io", "-f", "raw", "-c", "write -P 6 5M 64k", Uri);
            Run("ctl", "m", "block-dirty-bitmap-clear", "node=disk", "name=b").Expect(0);
            Qemu("qemu-io", "-f", "raw", "-c", "write -P 7 6M 64k", Uri);
            server.Signal("TERM");
            server.Wait().Expect(0);
        }
        Qemu("qemu-img", "check", "-q", "d.qcow2");
        Assert.Matches("\"start\": 6291456, \"length\": 65536,.*\"data\": false", Marked("d.qcow2", "b"));
        Assert.Single(System.Text.RegularExpressions.Regex.Matches(Marked("d.qcow2", "b"), "\"data\": false"));
    }

    [Fact]
    public void AServerThatIsKilled_LeavesThemInUse()
    {
        Qemu("qemu-img", "create", "-q", "-f", "qcow2", "d.qcow2", "8M");
        Qemu("qemu-img", "bitmap", "--add", "d.qcow2", "b");
        using (RunningProgram server = Serve())
        {
            Assert.DoesNotContain("in-use", Qemu("qemu-img", "info", "-U", "d.qcow2"));
            Qemu("qemu-io", "-f", "raw", "-c", "write -P 7 1M 100k", "-c", "flush", Uri);
            // Its table has too few entries for this disk.
            Run("ctl", "m", "block_resize", "node-name=disk", "size=68719476736").Expect(0);
            server.Signal("KILL");
            _ = server.Wait();
        }
        Assert.Contains("in-use", Qemu("qemu-img", "info", "d.qcow2"));
        using (RunningProgram server = Serve())
        {
            string[] add = ["ctl", "m", "block-dirty-bitmap-add", "node=disk", "name=b", "persistent=true"];
            Run(add).Expect(1).ExpectSentence("already exists: b");
            Qemu("qemu-io", "-f", "raw", "-c", "write -P 8 2M 100k", Uri);
            server.Signal("TERM");
            server.Wait().Expect(0);
        }
        Assert.Contains("in-use", Qemu("qemu-img", "info", "d.qcow2"));
        Qemu("qemu-img", "bitmap", "--remove", "d.qcow2", "b");
        _ = Tool.RunToCode(3, "qemu-img", "check", "-q", _folder["d.qcow2"]); // leaks of the kill
    }

    static string[] Trace(Prng chance, int sizeBytes, bool hasDiscards)
    {
        System.Collections.Generic.List<string> words = [];
        for (int i = 0; i < 40; i++)
        {
            ulong length = 512 * (1 + chance.Below(chance.Below(4) == 0 ? 4000u : 100u));
            ulong offset = 512 * chance.Below(((ulong)sizeBytes - length) / 512);
            string how = chance.Below(4) switch
            {
                0 => "write -z",
                1 => hasDiscards ? "discard" : "write -z -u",
                _ => $"write -P {1 + chance.Below(250)}",
            };
            words.AddRange(["-c", $"{how} {offset} {length}"]);
        }
        return [.. words];
    }

    /// <summary>What QEMU says of a bitmap; marked is where it says that there is no data.</summary>
    string Marked(string image, string bitmap)
    {
        string socket = _folder["nbd"];
        File.Delete(socket);
        using RunningProgram server = Tool.Start(
            "qemu-nbd",
            "-r",
            "-B",
            bitmap,
            "-k",
            socket,
            "-f",
            "qcow2",
            _folder[image]
        );
        Eventually.True(() => File.Exists(socket));
        string options = $"driver=nbd,server.type=unix,server.path={socket},x-dirty-bitmap=qemu:dirty-bitmap:{bitmap}";
        string map = Qemu("qemu-img", "map", "--output=json", "--image-opts", options);
        _ = server.Wait();
        return System.Text.RegularExpressions.Regex.Replace(map, " *\"(offset|filename)\":[^,}]*,?", "");
    }

    string Uri => $"nbd+unix:///disk?socket={_folder["s"]}";

    RunningProgram Serve()
    {
        string[] line = ["serve", "disk=d.qcow2", "--socket", "s", "--monitor", "m"];
        RunningProgram server = Programs.StartFastbackup(_folder.Path, line);
        Eventually.True(() => server.Output.Contains("Ctrl-C", StringComparison.Ordinal));
        return server;
    }

    void Same(string copy) => Qemu("qemu-img", "compare", "-q", "d.qcow2", copy);

    ProgramResult Run(params string[] line) => Programs.Fastbackup(_folder.Path, line);

    string Qemu(string program, params string[] line) => Programs.Run(_folder.Path, program, line).Expect(0).Output;
}
