// Images that QEMU has made, with compressed clusters, zeroes, an internal snapshot and something below, are written to
// by random requests, and become larger: the model says what they hold, and QEMU that, that nothing is wrong and
// nothing leaks, and that the snapshot is what it was.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.Json;
using FastBackup.Base;
using FastBackup.Tests.Images;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

[Trait("Length", "Long")] // not in the quick check
public sealed class Qcow2WritePeerTests : IDisposable
{
    const int DiskBytes = 222 * 1024 + 512;
    const ulong GrowthBytes = 30 << 10; // to what MemoryImage reads
    const string Long = "FASTBACKUP_FUZZ";

    readonly TempFolder _folder = new();

    public Qcow2WritePeerTests() => Requires.Command("qemu-img");

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, int, bool> Images =>
        new()
        {
            { "compat=0.10,cluster_size=4k", 0, true },
            { "compat=0.10,cluster_size=512", 100 << 10, true },
            { "cluster_size=512,refcount_bits=1", 0, false },
            { "cluster_size=1k,refcount_bits=2", 0, true },
            { "cluster_size=512,refcount_bits=64", DiskBytes, true },
            { "cluster_size=4k,refcount_bits=32", 0, true },
            { "cluster_size=8k,refcount_bits=4", 77 * 512, true },
            { "cluster_size=64k,refcount_bits=8", 0, false },
            { "cluster_size=64k", DiskBytes, true },
            { "cluster_size=256k", 0, true },
            { "cluster_size=2M", DiskBytes, true },
            { "cluster_size=2M,extended_l2=on,refcount_bits=8", 0, false },
            { "cluster_size=4k,compression_type=zstd,lazy_refcounts=on", 0, true },
            { "cluster_size=4k,preallocation=metadata", 0, true },
            { "cluster_size=16k,extended_l2=on", 0, true },
            { "cluster_size=16k,extended_l2=on,compression_type=zstd", DiskBytes, true },
            { "cluster_size=64k,extended_l2=on,refcount_bits=1", 150 * 512, false },
        };

    [Theory]
    [MemberData(nameof(Images))]
    public void QemusImages_AreWritten(string options, int backingBytes, bool hasSnapshot)
    {
        bool isLong = Environment.GetEnvironmentVariable(Long) != null;
        Prng chance = new(TestSeed.Next());
        byte[] backing = new byte[backingBytes];
        chance.Fill(backing);
        File.WriteAllBytes(_folder["backing"], backing);
        Create(options, backingBytes > 0, hasSnapshot, chance);
        byte[] made = File.ReadAllBytes(_folder["d.qcow2"]);
        using MemoryImage reader = new();
        for (int i = isLong ? 400 : 4; i >= 0; i--)
        {
            ulong seed = chance.NextULong();
            bool hasNoSizes = hasSnapshot && options.Contains("0.10", StringComparison.Ordinal);
            using ImageModel model = new(seed, made, backing, Read)
            {
                CutsPerCent = i % 2 * 8,
                GrowthBytes = hasNoSizes ? 0 : GrowthBytes,
            };
            try
            {
                model.Run(sessions: 2, requests: 100);
                if (i % 20 == 0)
                    AssertSame(model, backingBytes > 0, hasSnapshot);
            }
            catch (ImageModelException failure)
            {
                Assert.Fail($"{seed}: {failure}");
            }
        }

        void Read(ReadOnlyMemory<byte> file, byte[] disk) => Assert.Null(reader.TryRead(file.ToArray(), backing, disk));
    }

    /// <summary>A raw data file is the disk by itself, whatever was written.</summary>
    [Theory]
    [InlineData("data_file=DATA,cluster_size=4k", false)]
    [InlineData("data_file=DATA,cluster_size=16k,extended_l2=on", false)]
    [InlineData("data_file=DATA,data_file_raw=on,cluster_size=4k", true)]
    [InlineData("data_file=DATA,data_file_raw=on,cluster_size=16k,extended_l2=on", true)]
    public void AnExternalDataFile_IsWritten(string options, bool isRaw)
    {
        Prng chance = new(TestSeed.Next());
        string data = _folder["data"];
        Create(options.Replace("DATA", Tool.Option(data), StringComparison.Ordinal), false, false, chance);
        ImageModel model = null!;
        byte[] content = File.ReadAllBytes(_folder["d.qcow2"]);
        byte[] behind = new byte[70_000]; // the end of the disk, and not of the file: the disk grows over it
        chance.Fill(behind);
        model = new ImageModel(chance.NextULong(), content, [], Read)
        {
            DataContent = [.. File.ReadAllBytes(data), .. behind],
            GrowthBytes = 200 << 10,
        };
        using (model)
            model.Run(sessions: 3, requests: 150);
        Assert.True(model.GrownCount > 0);
        byte[] disk = model.Disk; // and so the files are as the model's
        Tool.Run("qemu-img", "check", "-q", _folder["after.qcow2"]);
        Assert.Equal(isRaw ? 2 : 0, model.Content[95]);
        if (!isRaw)
            return;
        Assert.Equal(disk.Length, disk.AsSpan().CommonPrefixLength(File.ReadAllBytes(data)));
        // Its tables name all that it has become larger by: who writes to the data file writes to the disk.
        using JsonDocument map = JsonDocument.Parse(
            Tool.Run("qemu-img", "map", "--output=json", _folder["after.qcow2"])
        );
        foreach (JsonElement run in map.RootElement.EnumerateArray())
        {
            long end = run.GetProperty("start").GetInt64() + run.GetProperty("length").GetInt64();
            Assert.True(end <= DiskBytes || run.GetProperty("present").GetBoolean(), $"{run}");
        }

        void Read(ReadOnlyMemory<byte> file, byte[] into)
        {
            string path = _folder["after.qcow2"];
            File.WriteAllBytes(path, file.ToArray());
            File.WriteAllBytes(data, model?.DataContent ?? File.ReadAllBytes(data));
            Tool.Run("qemu-img", "convert", "-t", "unsafe", "-O", "raw", path, _folder["disk"]);
            File.ReadAllBytes(_folder["disk"]).CopyTo(into, 0);
        }
    }

    void Create(string options, bool hasBacking, bool hasSnapshot, Prng chance)
    {
        string[] below = hasBacking ? ["-b", _folder["backing"], "-F", "raw"] : [];
        string size = DiskBytes.ToString(CultureInfo.InvariantCulture);
        string options2 = hasBacking
            ? options.Replace(",preallocation=metadata", "", StringComparison.Ordinal)
            : options;
        string path = _folder["d.qcow2"];
        Tool.Run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options2, .. below, path, size]);
        // Clusters that share a place are counted together: small counts have no room for that and a snapshot.
        bool mayCompress = !hasSnapshot || !options.Contains("refcount_bits=", StringComparison.Ordinal);
        Write(path, chance, mayCompress);
        if (hasSnapshot)
        {
            Tool.Run("qemu-img", "snapshot", "-c", "before", path);
            Tool.Run("qemu-img", "convert", "-l", "before", "-O", "raw", path, _folder["before"]);
            Write(path, chance, mayCompress);
        }
        if (hasBacking)
            Tool.Run("qemu-img", "rebase", "-u", "-b", "", path);
    }

    static void Write(string path, Prng chance, bool mayCompress)
    {
        List<string> line = ["-t", "unsafe", "-f", "qcow2"];
        for (int i = 0; i < 14; i++)
        {
            long offset = (long)chance.Below(DiskBytes / 512 - 1) * 512;
            long length = Math.Min(DiskBytes - offset, (long)(chance.Below(60) + 1) * 512);
            string command = i % 4 == 3 ? "write -z" : $"write -P {chance.Below(255) + 1}";
            if (mayCompress && i % 3 == 2)
                (command, offset, length) = ("write -c -P 33", offset / (64 << 10) * (64 << 10), 64 << 10);
            line.AddRange(["-c", string.Create(CultureInfo.InvariantCulture, $"{command} {offset} {length}")]);
        }
        _ = Tool.RunToCode(1, "qemu-io", [.. line, path]); // 1: a compressed write that is not taken
    }

    void AssertSame(ImageModel model, bool hasBacking, bool hasSnapshot)
    {
        string path = _folder["after.qcow2"];
        File.WriteAllBytes(path, model.Content);
        File.WriteAllBytes(_folder["disk"], model.Disk);
        if (hasBacking)
            Tool.Run("qemu-img", "rebase", "-u", "-b", _folder["backing"], "-F", "raw", path);
        Tool.Run("qemu-img", "check", "-q", path);
        Tool.Run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", path, _folder["disk"]);
        if (!hasSnapshot)
            return;
        Tool.Run("qemu-img", "convert", "-l", "before", "-O", "raw", path, _folder["still"]);
        byte[] before = File.ReadAllBytes(_folder["before"]);
        Assert.Equal(before.Length, before.AsSpan().CommonPrefixLength(File.ReadAllBytes(_folder["still"])));
    }
}
