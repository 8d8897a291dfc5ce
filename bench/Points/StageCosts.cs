// Where the processor time of a full backup and of a restore goes: each step by itself, on one thread, over all chunks
// of a file; and both as a whole, whose rest is what the steps do not have (threads, buffers, lists, index). Half of
// each page of the disk is random, half a text.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Bench.Points;

/// <summary>Threads: one.</summary>
sealed class StageCosts : IDisposable
{
    const int PageBytes = 4096;
    const int CheapCost = 2;
    const int ChunkBytes = 256 << 10;
    const int WriteBytes = (int)DiskRestore.WriteBytesUsual;
    const int PackBytes = 64 << 20;
    const int AtOnce = 16;

    readonly string _folder;
    readonly Engine _engine;
    readonly FileDevice _disk;
    readonly byte[] _content;
    readonly MasterKey _key = MasterKey.Random();
    readonly List<StageCost> _costs = [];
    readonly double _gibis;

    /// <param name="folder">Empty, on a disk, with room for three times the size.</param>
    /// <param name="sizeBytes">Whole chunks.</param>
    public StageCosts(string folder, ulong sizeBytes)
    {
        (_folder, _gibis) = (folder, (double)sizeBytes / Units.GiB);
        _content = new byte[sizeBytes];
        Random random = new(1);
        for (ulong at = 0; at < sizeBytes; at += PageBytes)
        {
            Span<byte> page = _content.AsSpan((int)at, PageBytes);
            random.NextBytes(page[..(PageBytes / 2)]);
            for (int i = PageBytes / 2; i < PageBytes; i++)
                page[i] = (byte)('a' + i % 61 % 23);
        }
        string path = Path.Combine(folder, "disk.img");
        File.WriteAllBytes(path, _content);
        Fault fault = Engine.TryOpen(new EngineOptions { ChunkBytes = WriteBytes }, out Engine? engine);
        if (fault.IsFault)
            throw new InvalidOperationException(fault.ToString());
        _engine = engine!;
        _disk = Open(new FileOpenOptions { Path = path, IsReadOnly = true });
    }

    public List<StageCost> Backup()
    {
        _costs.Clear();
        using BlobCodec codec = new(_key);
        byte[][] compressed = [.. Chunks().Select(chunk => Compress(codec, chunk))];
        ulong packedBytes = (ulong)compressed.Sum(one => one.Length);
        byte[] packed = new byte[packedBytes];
        Measure("read (ring, O_DIRECT)", Read);
        Measure("test for zeroes", () => Each(chunk => _ = BitmapKernels.IsAllZero(chunk.Span)));
        Measure("SHA-256 of chunks", () => Each(chunk => _ = BlobId.Of(chunk.Span)));
        Measure("zstd", () => Each(chunk => _ = codec.Compress(chunk.Span)));
        MeasureCipher(codec, compressed);
        Measure("SHA-256 of packs", () => Packs(packed, pack => _ = BlobId.Of(pack.Span)));
        using LocalStore store = new(Path.Combine(_folder, "packs"));
        store.Create();
        PackBuffer buffer = new(PackBytes);
        Measure(
            "write of packs",
            () =>
                Packs(
                    packed,
                    pack =>
                    {
                        BlobId name = BlobId.Read(Guid.NewGuid().ToByteArray().Concat(new byte[16]).ToArray());
                        store.Write(StoreKind.Pack, name.ToString(), buffer.Bytes[..pack.Length]);
                    }
                )
        );
        using OpenedRepository repository = Create();
        MeasureWhole(() => BackUp(repository));
        return _costs;
    }

    /// <summary>After Backup.</summary>
    public List<StageCost> Restore()
    {
        _costs.Clear();
        using OpenedRepository repository = OpenedRepository.Open(new LocalStore(RepositoryPath), "bench");
        StoredPoint point = repository.LoadSnapshots()[^1];
        repository.LoadIndex();
        using BlobCodec codec = new(_key);
        byte[][] compressed = [.. Chunks().Select(chunk => Compress(codec, chunk))];
        byte[] text = new byte[ChunkBytes];
        Measure("read of packs", () => ReadPacks(repository));
        MeasureCipher(codec, compressed);
        Measure(
            "zstd",
            () =>
            {
                foreach (byte[] one in compressed)
                    Check.That(codec.Zstd.TryDecompress(one, text));
            }
        );
        Measure("SHA-256 of chunks", () => Each(chunk => _ = BlobId.Of(chunk.Span)));
        Measure("write (ring, O_DIRECT)", () => Write("plain.img"));
        PointDisk disk = PointDisk.Find(repository, point, null);
        MeasureWhole(() =>
        {
            FileDevice target = Create("restored.img");
            using DiskRestore restore = new(repository, _engine, disk, target, RestoreMode.OntoZeroes, default);
            restore.Execute();
            _engine.Reactor.Invoke(target.Dispose);
        });
        return _costs;
    }

    public void Dispose()
    {
        _engine.Reactor.Invoke(_disk.Dispose);
        _engine.Dispose();
    }

    string RepositoryPath => Path.Combine(_folder, "repo");

    /// <summary>Sealing is both: what Poly1305 does not take is the counter mode's.</summary>
    void MeasureCipher(BlobCodec codec, byte[][] compressed)
    {
        byte[] sealedBlob = new byte[ChunkBytes + BlobCipher.OverheadBytes];
        byte[] tag = new byte[Poly1305.TagBytes];
        byte[] key = [.. _key.MacPoint, .. _key.MacKey];
        nint systems = OperatingSystem.IsLinux() ? LibCrypto.CreatePoly1305() : 0;
        StageCost both = Time(
            "",
            () =>
            {
                foreach (byte[] one in compressed)
                    codec.Cipher.Seal(one, sealedBlob.AsSpan(0, one.Length + BlobCipher.OverheadBytes));
            }
        );
        StageCost poly = Time(
            "Poly1305",
            () =>
            {
                foreach (byte[] one in compressed)
                    if (systems == 0 || !LibCrypto.Authenticate(systems, key, one, tag))
                        Poly1305.Compute(_key.MacPoint, _key.MacKey, one, tag);
            }
        );
        if (systems != 0)
            LibCrypto.FreePoly1305(systems);
        _costs.Add(new StageCost("AES-256-CTR", both.CpuSeconds - poly.CpuSeconds, both.Seconds - poly.Seconds));
        _costs.Add(poly);
    }

    void MeasureWhole(Action act)
    {
        double sum = _costs.Sum(one => one.CpuSeconds);
        StageCost whole = Time("all of it", act);
        _costs.Add(new StageCost("rest", whole.CpuSeconds - sum, 0));
        _costs.Add(whole);
    }

    void Measure(string name, Action act) => _costs.Add(Time(name, act));

    StageCost Time(string name, Action act)
    {
        TimeSpan cpu = Environment.CpuUsage.TotalTime;
        long start = Stopwatch.GetTimestamp();
        act();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new StageCost(name, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds / _gibis, seconds / _gibis);
    }

    IEnumerable<Memory<byte>> Chunks()
    {
        for (int at = 0; at < _content.Length; at += ChunkBytes)
            yield return _content.AsMemory(at, ChunkBytes);
    }

    void Each(Action<Memory<byte>> act)
    {
        foreach (Memory<byte> chunk in Chunks())
            act(chunk);
    }

    static void Packs(byte[] packed, Action<Memory<byte>> act)
    {
        for (int at = 0; at < packed.Length; at += PackBytes)
            act(packed.AsMemory(at, Math.Min(PackBytes, packed.Length - at)));
    }

    static byte[] Compress(BlobCodec codec, Memory<byte> chunk)
    {
        ReadOnlySpan<byte> compressed = codec.Compress(chunk.Span);
        return compressed.Length > 0 ? compressed.ToArray() : chunk.ToArray();
    }

    void Read() => Transfer(_disk, BlockOperation.Read);

    void Write(string name)
    {
        FileDevice target = Create(name);
        Transfer(target, BlockOperation.Write);
        _engine.Reactor.Invoke(target.Dispose);
    }

    void Transfer(FileDevice device, BlockOperation operation)
    {
        using DeviceLanes lanes = new(_engine, device, AtOnce);
        for (int at = 0; at < _content.Length; at += ChunkBytes)
        {
            DeviceLane lane = lanes.Take(CancellationToken.None);
            lanes.Start(lane, operation, (ulong)at, ChunkBytes, lanes.Return);
        }
        lanes.Drain(CancellationToken.None);
        if (operation == BlockOperation.Write)
        {
            DeviceLane lane = lanes.Take(CancellationToken.None);
            _ = lanes.Run(lane, BlockOperation.Flush, 0, 0);
            lanes.Return(lane);
        }
    }

    static void ReadPacks(OpenedRepository repository)
    {
        byte[] bytes = new byte[8 << 20];
        foreach (StoredFile pack in repository.Store.List(StoreKind.Pack))
            for (long at = 0; at < pack.SizeBytes; at += bytes.Length)
            {
                int count = (int)Math.Min(bytes.Length, pack.SizeBytes - at);
                repository.Store.Read(StoreKind.Pack, pack.Name, at, bytes.AsSpan(0, count));
            }
    }

    OpenedRepository Create()
    {
        OpenedRepository made = OpenedRepository.Create(new LocalStore(RepositoryPath), "bench", CheapCost);
        made.LoadIndex();
        return made;
    }

    void BackUp(OpenedRepository repository)
    {
        using RepositoryLock held = RepositoryLock.Take(repository, isExclusive: false);
        PointHead head = new("host", DateTime.UtcNow, []);
        BackupPlan plan = new()
        {
            Disk = "disk",
            Source = "file",
            ChunkBytes = ChunkBytes,
        };
        using PointDraft draft = new(repository, held, head, CancellationToken.None);
        using DiskBackup backup = new(repository, draft, _engine, _disk, plan, CancellationToken.None);
        _ = backup.Execute();
        _ = draft.Finish(null);
    }

    FileDevice Create(string name) =>
        Open(new FileOpenOptions { Path = Path.Combine(_folder, name), CreateBytes = (ulong)_content.Length });

    FileDevice Open(FileOpenOptions options)
    {
        FileDevice? device = null;
        OpenRefusal refusal = default;
        _engine.Reactor.Invoke(() => refusal = DeviceOpener.TryOpen(_engine.Reactor, options, out device));
        return refusal.IsNone ? device! : throw new InvalidOperationException(refusal.Sentence);
    }
}
