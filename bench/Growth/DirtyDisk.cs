// A disk without content whose bitmap has a share of its granules dirty, and incremental jobs on it that take their
// point in time and are then cancelled: nothing depends on the speed of a device.
using System;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Bitmaps;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Runtime;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Growth;

/// <summary>Threads: one, which waits while the reactor works.</summary>
sealed class DirtyDisk : IDisposable
{
    const ulong GranuleBytes = 64 * Units.KiB;
    const ulong PieceWords = 1 << 16;
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    readonly Engine _engine;
    readonly NullDevice _source;
    readonly NullDevice _target;
    readonly Disk _disk;
    readonly DirtyBitmap _bitmap;
    readonly ulong _sizeBytes;

    /// <param name="engine">Outlives it.</param>
    /// <param name="sizeBytes">A multiple of 4 MiB.</param>
    /// <param name="density">Share of granules that are dirty, up to 0.5.</param>
    public DirtyDisk(Engine engine, ulong sizeBytes, double density)
    {
        (_engine, _sizeBytes) = (engine, sizeBytes);
        _source = new NullDevice(engine.Reactor, "source", sizeBytes);
        _target = new NullDevice(engine.Reactor, "target", sizeBytes);
        Require(DirtyBitmap.TryCreate("changes", sizeBytes, GranuleBytes, out DirtyBitmap? bitmap));
        _bitmap = bitmap!;
        Disk? disk = null;
        engine.Reactor.Invoke(() =>
        {
            disk = new Disk(engine.Reactor, _source, "disk");
            Quiesced(disk, () => disk.Add(_bitmap));
        });
        _disk = disk!;
        Fill(density);
    }

    /// <summary>Makes a job, takes its point in time, and gives it up.</summary>
    /// <returns>Microseconds of making and of starting it, and what was resident while it ran.</returns>
    public (double CreateUs, double StartUs, ulong ResidentBytes) StartOnce()
    {
        BackupOptions options = new()
        {
            Sync = BackupSync.Incremental,
            Bitmap = _bitmap,
            WarmMs = 0,
            SpeedBytesPerSecond = Units.MiB, // it is not to get far
        };
        BackupJob? job = null;
        OpenRefusal refusal = default;
        double createUs = 0;
        _engine.Reactor.Invoke(() =>
        {
            long begin = Stopwatch.GetTimestamp();
            refusal = BackupJob.TryCreate(_engine.Reactor, _disk, _target, _engine.Pool, options, false, out job);
            createUs = Stopwatch.GetElapsedTime(begin).TotalMicroseconds;
        });
        if (!refusal.IsNone)
            throw new PeerException(refusal.Sentence);
        using StartWatch watch = new();
        job!.Listener = watch;
        Transaction transaction = new(_engine.Reactor, [job]);
        _engine.Reactor.Invoke(() => watch.Begin(transaction));
        watch.WaitForStart(s_limit);
        ulong residentBytes = ResidentMemory.Bytes();
        _engine.Reactor.Invoke(() => job.Cancel());
        watch.WaitForEnd(s_limit);
        _engine.Reactor.Invoke(job.Dispose);
        return (createUs, watch.StartUs, residentBytes);
    }

    /// <summary>Finds every run of dirty granules.</summary>
    public (double Us, ulong RunCount) Scan()
    {
        long begin = Stopwatch.GetTimestamp();
        ulong count = 0;
        ulong at = 0;
        while (true)
        {
            Require(_bitmap.Bits.NextDirtyArea(at, _sizeBytes, ulong.MaxValue, out Extent area));
            if (area.IsEmpty)
                return (Stopwatch.GetElapsedTime(begin).TotalMicroseconds, count);
            at = area.EndBytes;
            count++;
        }
    }

    public void Dispose()
    {
        _engine.Reactor.Invoke(() =>
        {
            Quiesced(_disk, () => _disk.Remove(_bitmap));
            _disk.Dispose();
            _source.Dispose();
            _target.Dispose();
        });
        _bitmap.Dispose();
    }

    /// <summary>Nothing is in flight, so the moment is now.</summary>
    void Quiesced(Disk disk, Action change) => new QuiescedChange(_engine.Reactor, [disk], change).Begin();

    /// <summary>Half: random words; less: single granules anywhere.</summary>
    void Fill(double density)
    {
        Prng random = new(1);
        ulong bitCount = _bitmap.Bits.BitCount;
        if (density < 0.5)
        {
            for (ulong i = 0; i < (ulong)(density * bitCount); i++)
                _bitmap.Bits.SetBits(random.Below(bitCount), 1);
            return;
        }
        byte[] piece = new byte[PieceWords * sizeof(ulong)];
        for (ulong bit = 0; bit < bitCount; bit += PieceWords * 64)
        {
            ulong count = Math.Min(PieceWords * 64, bitCount - bit);
            random.Fill(piece);
            Span<byte> part = piece.AsSpan(0, (int)(count / 8));
            Require(_bitmap.Bits.DeserializePart(bit * GranuleBytes, count * GranuleBytes, part));
        }
        Require(_bitmap.Bits.DeserializeFinish());
    }

    static void Require(Fault fault)
    {
        if (fault.IsFault)
            throw new PeerException(fault.ToString());
    }
}
