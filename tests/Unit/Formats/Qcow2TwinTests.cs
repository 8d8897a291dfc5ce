// The same random trace by QEMU to one image and by us to its twin: the same disk afterwards, nothing wrong and nothing
// leaked, over all sizes of clusters, widths of reference counts, compressed clusters, subclusters and backing files,
// with the image closed and opened again in the middle, and become larger in each half: ours while it is open, its twin
// by qemu-img. Of discards nobody says what is read: the model has those.
// FASTBACKUP_FUZZ=N plays more traces an image.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Memory;
using FastBackup.Tests.Images;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

[Trait("Length", "Long")] // not in the quick check
public sealed class Qcow2TwinTests : IBlockOwner, IDisposable
{
    const int BufferBytes = 4 << 20;
    const int RequestsASession = 25;
    const int Traces = 9; // of each image
    const int TracesALong = 60;
    const int TracesAStart = 3; // begin with the same image
    const int TracesInAll = 300; // in the whole check

    readonly TempFolder _folder = new();
    readonly SimulatedLoop _loop = new(1);
    readonly AlignedRegion _buffer = AlignedRegion.Map(BufferBytes, RegionResidency.Resident);
    uint _left;
    Fault _fault;

    public Qcow2TwinTests() => Requires.Command("qemu-img");

    public void Dispose()
    {
        _loop.Dispose();
        _buffer.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string, int, bool> Images
    {
        get
        {
            TheoryData<string, int, bool> all = [];
            for (int bits = 9; bits <= 21; bits++)
            {
                int cluster = 1 << bits;
                string type = bits % 2 == 0 ? "zstd" : "zlib";
                all.Add($"cluster_size={cluster},refcount_bits={1 << bits % 7}", cluster, false);
                all.Add($"cluster_size={cluster},compression_type={type}", cluster, true);
                if (bits >= 14)
                    all.Add($"cluster_size={cluster},extended_l2=on,compression_type={type}", cluster, bits % 2 == 0);
            }
            all.Add("compat=0.10,cluster_size=64k", 64 << 10, true);
            all.Add("cluster_size=4k,preallocation=metadata", 4 << 10, false);
            all.Add("cluster_size=64k,lazy_refcounts=on", 64 << 10, true);
            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Images))]
    public void ATrace_LeavesWhatQemuLeaves(string options, int clusterBytes, bool hasBacking)
    {
        bool isLong = Environment.GetEnvironmentVariable("FASTBACKUP_FUZZ") != null;
        ulong seed = TestSeed.Next();
        Prng chance = new(seed);
        int diskBytes = Math.Max(300 << 10, clusterBytes * 4 + (clusterBytes / 2)) + 512;
        // Longer than the disk it would show in what the disk becomes larger by; QEMU enlarges none of version 2 then.
        bool isLonger = hasBacking && !options.Contains("0.10", StringComparison.Ordinal) && chance.Below(2) == 0;
        byte[] backing = new byte[
            hasBacking ? (isLonger ? diskBytes + clusterBytes * 2 : diskBytes / 3) / 512 * 512 : 0
        ];
        chance.Fill(backing);
        File.WriteAllBytes(_folder["base.img"], backing);
        string made = "";
        for (int round = 0; round < (isLong ? TracesALong : Traces); round++)
        {
            if (round % TracesAStart == 0)
                made = Create(options, clusterBytes, diskBytes, hasBacking, chance);
            (string ours, string theirs) = (_folder["ours.qcow2"], _folder["theirs.qcow2"]);
            File.Copy(made, theirs, overwrite: true);
            byte[] file = File.ReadAllBytes(made);
            int bytes = diskBytes;
            for (int session = 0; session < 2; session++)
            {
                int largerBytes = bytes + 512 * (1 + (int)chance.Below((ulong)Math.Max(clusterBytes / 256, 128)));
                Twin twin = new(theirs, largerBytes);
                file = Play(file, backing, clusterBytes, chance, twin);
                twin.Flush();
                bytes = largerBytes;
            }
            File.WriteAllBytes(ours, file);
            Tool.Run("qemu-img", "check", "-q", ours);
            ToolRun compared = ToolRun.Of("qemu-img", ["compare", ours, theirs]);
            Assert.True(compared.ExitCode == 0, $"seed {seed}: {compared.Output}");
        }
    }

    /// <summary>Does by QEMU what is done here.</summary>
    sealed class Twin(string path, int largerBytes)
    {
        readonly List<string> _words = ["-t", "unsafe"];

        public ulong LargerBytes => (ulong)largerBytes;

        public void Add(string command) => _words.AddRange(["-c", command]);

        public void Enlarge()
        {
            Flush();
            _words.RemoveRange(2, _words.Count - 2);
            Tool.Run("qemu-img", "resize", "-q", path, Text($"{largerBytes}"));
        }

        public void Flush()
        {
            if (_words.Contains("-c"))
                Tool.Run("qemu-io", [.. _words, path]);
        }
    }

    [Fact]
    public void TracesAreThreeHundred() => Assert.InRange(Images.Count * Traces, TracesInAll, 2 * TracesInAll);

    /// <summary>Compressed clusters among others.</summary>
    string Create(string options, int clusterBytes, int diskBytes, bool hasBacking, Prng chance)
    {
        string path = _folder["d.qcow2"];
        File.Delete(path);
        string[] backing = hasBacking ? ["-b", "base.img", "-F", "raw"] : [];
        string size = diskBytes.ToString(CultureInfo.InvariantCulture);
        Tool.Run("qemu-img", ["create", "-q", "-f", "qcow2", "-o", options, .. backing, path, size]);
        List<string> words = ["-t", "unsafe"];
        for (int i = 0; i < 6; i++)
        {
            // Clusters that share a place are counted together: small counts have no room for that. QEMU takes a
            // compressed write only where there is nothing yet, and may break the image where it does not.
            ulong cluster = i < 3 ? (ulong)i : chance.Below((ulong)(diskBytes / clusterBytes));
            bool mayBePacked = !options.Contains("refcount_bits", StringComparison.Ordinal);
            bool isPacked = i < 3 && mayBePacked && !options.Contains("preallocation", StringComparison.Ordinal);
            string how = isPacked ? "write -c" : "write";
            words.AddRange(["-c", Text($"{how} -P {50 + i} {cluster * (ulong)clusterBytes} {clusterBytes}")]);
        }
        Tool.Run("qemu-io", [.. words, path]);
        Tool.Run("qemu-img", "check", "-q", path);
        return path;
    }

    /// <returns>The file when it is closed.</returns>
    byte[] Play(byte[] file, byte[] backing, int clusterBytes, Prng chance, Twin twin)
    {
        FileImage reader = new(file);
        Assert.True(Qcow2Tables.TryReadHeader(reader, "image", out Qcow2Header? header).IsNone);
        Assert.True(Qcow2Tables.TryReadL1(reader, header!, "image", out NativeArray<ulong>? l1).IsNone);
        OpenRefusal refusal = WritableParts.TryRead(reader, header!, l1!, "image", (true, null), out var writable);
        Assert.True(refusal.IsNone, refusal.Sentence);
        using ImageFile image = new(_loop.Reactor, file, chance);
        using ImageFile below = new(_loop.Reactor, backing, chance);
        Qcow2Parts parts = new()
        {
            File = image,
            Header = header!,
            L1 = l1!,
            Backing = backing.Length == 0 ? null : below,
            Writable = writable,
        };
        Qcow2Device device = new(_loop.Reactor, "image", parts);
        int growsAt = (int)chance.Below(RequestsASession);
        for (int i = 0; i < RequestsASession; i++)
        {
            if (i == growsAt)
                Grow(device, twin);
            ulong sectors = device.Limits.CapacityBytes / 512;
            ulong most = chance.Below(4) == 0 ? (ulong)clusterBytes / 256 + 8 : 40;
            ulong count = 1 + chance.Below(Math.Min(Math.Min(most, sectors - 1), BufferBytes / 512));
            ulong offset = chance.Below(sectors - count + 1) * 512;
            Request(device, chance, offset, count * 512, twin);
        }
        Run(device, new BlockRequest { Operation = BlockOperation.Flush });
        _loop.RunUntil(() => device.InFlightCount == 0, turnsMax: 1_000_000);
        byte[] after = image.Content;
        device.Dispose();
        return after;
    }

    void Grow(Qcow2Device device, Twin twin)
    {
        twin.Enlarge();
        OpenRefusal refusal = Qcow2Growth.TryCreate(device, twin.LargerBytes, out Qcow2Growth? growth);
        Assert.True(refusal.IsNone, refusal.Sentence);
        _left = 1;
        Assert.True(device.TryBegin(growth!, fault => (_left, _fault) = (0, fault)));
        _loop.RunUntil(() => _left == 0, turnsMax: 1_000_000);
        Assert.True(_fault.IsNone, $"{_fault}: {device.CorruptBecause ?? device.FailedBecause}");
        Assert.True(device.Grow(twin.LargerBytes).IsNone);
    }

    void Request(Qcow2Device device, Prng chance, ulong offset, ulong length, Twin twin)
    {
        BlockRequest request = new()
        {
            OffsetBytes = offset,
            LengthBytes = length,
            Buffer = _buffer.Start,
        };
        ulong what = chance.Below(8);
        if (what == 7)
        {
            request = new BlockRequest { Operation = BlockOperation.Flush };
            twin.Add("flush");
        }
        else if (what >= 5)
        {
            request.Operation = BlockOperation.WriteZeroes;
            request.Flags = what == 6 ? BlockFlags.MayUnmap : BlockFlags.None;
            twin.Add(Text($"write -z{(what == 6 ? " -u" : "")} {offset} {length}"));
        }
        else
        {
            byte pattern = (byte)(1 + chance.Below(255));
            request.Operation = BlockOperation.Write;
            request.Flags = what == 0 ? BlockFlags.Fua : BlockFlags.None;
            _buffer.Slice(0, (int)length).Fill(pattern);
            twin.Add(Text($"write -P {pattern} {offset} {length}"));
        }
        Run(device, request);
    }

    void Run(Qcow2Device device, BlockRequest request)
    {
        _left = 1;
        request.Owner = this;
        device.Submit(request);
        _loop.RunUntil(() => _left == 0, turnsMax: 1_000_000);
        Assert.True(_fault.IsNone, $"{_fault}: {device.CorruptBecause ?? device.FailedBecause}");
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        _left--;
        _fault = result.Fault;
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
