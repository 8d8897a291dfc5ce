// Images that are based on the previous one: what has changed, as QEMU sees it, beside QEMU's own; and what is no
// previous one.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using FastBackup.Base;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class Qcow2ChainTests : IDisposable
{
    const int Mebi = 1 << 20;
    const string Tracker = "disk.img.track";

    readonly TempFolder _folder = new();

    public Qcow2ChainTests() => Requires.Command("qemu-img");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void FullAndIncrements_AreTheDiskOfTheirTimes()
    {
        Disks.Random(_folder["disk.img"], (5 * Mebi) + 512);
        Run("track", "add", "disk.img").Expect(0);
        Increment("full.qcow2");
        TrackedImage.Change(_folder, 48, 1);
        TrackedImage.Change(_folder, 80, 2); // the last, of one sector
        Assert.StartsWith("incremental: 64.5 KiB changed", Increment("inc1.qcow2", "--backing", "full.qcow2").Output);
        Zero(3 * 65536, 65536);
        TrackedImage.SetChanged(_folder, 3);
        Increment("inc2.qcow2", "--backing", "inc1.qcow2");
        Assert.Equal(
            "3 zero, 48 data, 80 data",
            string.Join(", ", MapOf("inc2.qcow2").Where(one => one.Depth < 2).Select(Describe))
        );
        foreach (string image in (string[])["full.qcow2", "inc1.qcow2", "inc2.qcow2"])
            AssertIs(image, image + ".expected");
        JsonNode info = JsonNode.Parse(Tool.Run("qemu-img", "info", "--output=json", _folder["inc2.qcow2"]))!;
        Assert.Equal(
            ("inc1.qcow2", "qcow2"),
            ((string)info["backing-filename"]!, (string)info["backing-filename-format"]!)
        );
        Directory.Move(_folder.Path, _folder.Path + ".moved");
        Directory.Move(_folder.Path + ".moved", _folder.Path);
        Run("track", "grow", "disk.img", "7MiB").Expect(0);
        Increment("inc3.qcow2", "--backing", "inc2.qcow2");
        AssertIs("inc3.qcow2", "inc3.qcow2.expected");
    }

    [Fact]
    public void OnARawCopy_InAnotherFolder_WithoutATrackersWord()
    {
        Disks.Sparse(_folder["disk.img"], 4 * Mebi, (0, Mebi));
        Run("track", "add", "disk.img").Expect(0);
        Directory.CreateDirectory(_folder["far"]);
        Run("backup", "disk.img", "far/full.img", "--tracker", Tracker).Expect(0);
        TrackedImage.Touch(_folder, "disk.img", 70000, 1); // nobody has watched
        string said = Increment("inc.qcow2", "--backing", "far/full.img").Output;
        Assert.StartsWith("full: ", said);
        AssertIs("inc.qcow2", "disk.img");
        Assert.All(MapOf("inc.qcow2"), one => Assert.Equal(0, one.Depth));
        JsonNode info = JsonNode.Parse(Tool.Run("qemu-img", "info", "--output=json", _folder["inc.qcow2"]))!;
        Assert.Equal(
            (_folder["far/full.img"], "raw"),
            ((string)info["backing-filename"]!, (string)info["backing-filename-format"]!)
        );
    }

    /// <summary>A full copy and three increments, each packed or not, of a disk that changes at random.</summary>
    [Fact]
    public void RandomRounds_PackedAndNot()
    {
        string[] packings = ["zstd", "zlib:6", "zstd:9", ""];
        TestSeed.ForEach(
            2,
            seed =>
            {
                Prng chance = new(seed);
                using TempFolder words = new();
                Words(words["disk.img"], 9 * Mebi, chance);
                File.Move(words["disk.img"], _folder["disk.img"], overwrite: true);
                Run("track", "add", "disk.img").Expect(0);
                for (int round = 0; round < 4; round++)
                {
                    string packing = packings[(int)chance.Below(4)];
                    string[] packed = packing.Length == 0 ? [] : ["--compress", packing];
                    string[] based = round == 0 ? [] : ["--backing", $"{round - 1}.qcow2"];
                    Increment($"{round}.qcow2", [.. packed, .. based]);
                    AssertIs($"{round}.qcow2", $"{round}.qcow2.expected");
                    for (int i = (int)chance.Below(4); i >= 0; i--)
                        ChangeOne((int)chance.Below(9 * 16), chance);
                }
                for (int round = 0; round < 4; round++) // nobody has changed the earlier ones
                {
                    AssertIs($"{round}.qcow2", $"{round}.qcow2.expected");
                    File.Delete(_folder[$"{round}.qcow2.expected"]);
                }
                foreach (string file in Directory.GetFiles(_folder.Path))
                    File.Delete(file);
            }
        );
    }

    /// <summary>Text, randomness and nothing in turn.</summary>
    static void Words(string path, int length, Prng chance)
    {
        byte[] content = new byte[length];
        for (int at = 0; at < length; at += 65536)
        {
            Span<byte> piece = content.AsSpan(at, Math.Min(65536, length - at));
            switch (chance.Below(5))
            {
                case 0:
                    chance.Fill(piece);
                    break;
                case 1:
                    break;
                default:
                    for (int i = 0; i < piece.Length; i++)
                        piece[i] = (byte)('a' + chance.Below(8));
                    break;
            }
        }
        File.WriteAllBytes(path, content);
    }

    /// <summary>To a byte, or to zeroes.</summary>
    void ChangeOne(int granule, Prng chance)
    {
        if (chance.Below(3) == 0)
            Zero(granule * 65536L, 65536);
        else
            TrackedImage.Touch(_folder, "disk.img", granule * 65536L + (long)chance.Below(65536), 1);
        TrackedImage.SetChanged(_folder, granule);
    }

    /// <summary>
    /// Cluster for cluster what QEMU makes, but for one difference: where a cluster of the copy, 64 KiB, has nothing
    /// but zeroes, and the source does not say so of it as a whole (it has smaller clusters or parts, or larger
    /// clusters that were written to in part), QEMU writes these zeroes as data. Ours says zero, without a place.
    /// </summary>
    [Fact]
    public void TopOfAChain_IsWhatQemuMakesOfIt()
    {
        Requires.Command(QemuStorageDaemon.Program);
        Requires.Command("qemu-io");
        int[] kibis = [64, 4, 8, 16, 32, 128, 256, 512, 1024, 2048, 16, 32, 64, 128, 512, 2048];
        TestSeed.ForEach(
            (ulong)kibis.Length,
            seed =>
            {
                Prng chance = new(seed);
                int at = (int)(seed % (ulong)kibis.Length);
                bool hasParts = at >= 10;
                bool isOne = (hasParts ? kibis[at] / 32 : kibis[at]) == 64;
                string shape = $"cluster_size={kibis[at]}k" + (hasParts ? ",extended_l2=on" : "");
                ulong size = 9_216_000 + (chance.Below(2) == 0 ? 0 : 512 * chance.Below(200));
                Layer("base", shape, null, chance, size);
                Layer("mid", shape, "base", chance, size);
                if (chance.Below(2) == 0)
                    Pack("mid", shape, "base");
                Layer("top", shape, "mid", chance, size);
                QemuTopBackup.Run(_folder, "top", "theirs", "mid");
                Run(["backup", "top", "ours", "--sync", "top", "--backing", "mid", .. s_qcow2]).Expect(0);
                AssertIs("ours", "top", "qcow2");
                (List<Part> theirs, List<Part> ours) = (MapOf("theirs"), MapOf("ours"));
                Assert.Equal(Merged(theirs.Select(OfDepth)), Merged(ours.Select(OfDepth)));
                if (!isOne)
                    theirs = Merged(Clusters(theirs).Zip(Clusters(ours), (one, other) => other.IsZero ? other : one));
                Assert.Equal(theirs, Merged(Clusters(ours)));
                foreach (string name in (string[])["base", "mid", "top", "ours", "theirs"])
                    File.Delete(_folder[name]);
            }
        );
    }

    [Fact]
    public void WhatIsNoBacking_IsRefused_AndNothingChanges()
    {
        Disks.Sparse(_folder["disk.img"], 4 * Mebi, (0, 100_000));
        Disks.Sparse(_folder["other.img"], 3 * Mebi, (0, 100_000));
        Qemu("convert", "-O", "qcow2", "disk.img", "full.qcow2");
        Qemu("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "full.qcow2", "inc.qcow2");
        Qemu("create", "-q", "-f", "qcow2", "circle.qcow2", "4M");
        Qemu("rebase", "-u", "-F", "qcow2", "-b", "circle.qcow2", "circle.qcow2");
        string picture = FolderPicture.Take(_folder.Path);
        Refuse("none.qcow2", "backing: cannot open 'none.qcow2'");
        Refuse("circle.qcow2", "backing: 'circle.qcow2' is based on 'circle.qcow2', which is based on itself");
        Refuse("other.img", "backing 'other.img' has 3145728 bytes, the disk 4194304");
        Refuse("disk.img", "backing 'disk.img' is the source itself");
        Refuse("nbd://localhost/x", "is a disk of a server");
        Refuse("full.qcow2", "target 'full.qcow2' is a part of backing 'full.qcow2'", "full.qcow2", "--force");
        Refuse("inc.qcow2", "target 'full.qcow2' is a part of backing 'inc.qcow2'", "full.qcow2", "--force");
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
    }

    static readonly string[] s_qcow2 = ["--target-format", "qcow2", "--backing-format", "qcow2", "--format", "qcow2"];

    void Refuse(string backing, string why, string target = "new.qcow2", params string[] more) =>
        Run(["backup", "disk.img", target, "--sync", "top", "--backing", backing, .. more])
            .Expect(1)
            .ExpectSentence(why);

    /// <summary>Writes of no zeroes, zeroes and discards.</summary>
    void Layer(string name, string shape, string? below, Prng chance, ulong size)
    {
        string[] based = below == null ? [] : ["-F", "qcow2", "-b", below];
        Qemu(["create", "-q", "-f", "qcow2", "-o", shape, .. based, name, size.ToString(CultureInfo.InvariantCulture)]);
        List<string> line = [];
        for (int i = 0; i < 12; i++)
        {
            ulong at = chance.Below(8900);
            ulong length = Math.Min(1 + chance.Below(400), 9000 - at);
            string what = chance.Below(4) switch
            {
                0 => "write -z",
                1 => "discard",
                _ => $"write -P {1 + chance.Below(250)}",
            };
            line.AddRange(["-c", string.Create(CultureInfo.InvariantCulture, $"{what} {at}k {length}k")]);
        }
        Programs.Run(_folder.Path, "qemu-io", ["-f", "qcow2", .. line, name]).Expect(0);
    }

    /// <summary>Its clusters are compressed.</summary>
    void Pack(string name, string shape, string below)
    {
        Qemu("convert", "-c", "-O", "qcow2", "-o", shape, "-F", "qcow2", "-B", below, "-f", "qcow2", name, "packed");
        File.Move(_folder["packed"], _folder[name], overwrite: true);
    }

    ProgramResult Increment(string image, params string[] more)
    {
        File.Copy(_folder["disk.img"], _folder[image + ".expected"]);
        return Run(["backup", "disk.img", image, "--tracker", Tracker, .. more]).Expect(0);
    }

    void Zero(long offset, int length)
    {
        using FileStream file = File.OpenWrite(_folder["disk.img"]);
        file.Position = offset;
        file.Write(new byte[length]);
    }

    void AssertIs(string image, string expected, string format = "raw")
    {
        Qemu("check", "-q", "-f", "qcow2", image);
        Qemu("compare", "-q", "-f", "qcow2", "-F", format, image, expected);
        Assert.StartsWith("clean: ", Run("check", image).Expect(0).Output);
    }

    readonly record struct Part(long Start, long Length, int Depth, bool IsZero, bool IsData);

    static string Describe(Part part) => $"{part.Start / 65536} {(part.IsZero ? "zero" : "data")}";

    static Part OfDepth(Part part) => part.Depth == 0 ? part with { IsZero = false, IsData = true } : part;

    /// <summary>Of a layer each has one kind; what lies below is left as it is, in pieces.</summary>
    static IEnumerable<Part> Clusters(List<Part> parts)
    {
        foreach (Part part in parts)
            for (long at = part.Start, next; at < part.Start + part.Length; at = next)
            {
                next = Math.Min((at / 65536 + 1) * 65536, part.Start + part.Length);
                yield return part with
                {
                    Start = at,
                    Length = next - at,
                };
            }
    }

    List<Part> MapOf(string image)
    {
        string json = Tool.Run("qemu-img", "map", "--output=json", "-f", "qcow2", _folder[image]);
        return Merged(
            JsonNode
                .Parse(json)!
                .AsArray()
                .Select(one => new Part(
                    (long)one!["start"]!,
                    (long)one["length"]!,
                    (int)one["depth"]!,
                    (bool)one["zero"]!,
                    (bool)one["data"]!
                ))
        );
    }

    /// <summary>QEMU ends an entry also where the file's next cluster lies elsewhere.</summary>
    static List<Part> Merged(IEnumerable<Part> parts)
    {
        List<Part> merged = [];
        foreach (Part part in parts)
            if (merged.Count > 0 && merged[^1] with { Start = part.Start, Length = part.Length } == part)
                merged[^1] = merged[^1] with { Length = merged[^1].Length + part.Length };
            else
                merged.Add(part);
        return merged;
    }

    void Qemu(params string[] line) => Programs.Run(_folder.Path, "qemu-img", line).Expect(0);

    ProgramResult Run(params string[] arguments) => Programs.Fastbackup(_folder.Path, arguments);
}
