// One guest of the demo: a thread that writes small random, overlapping, unaligned ranges through the disk, one at a
// time, and times each.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Memory;

namespace FastBackup.Cli;

/// <summary>Threads: its own; Start, Stop and the figures are the demo's.</summary>
sealed class LiveGuest : IGuestOwner, IDisposable
{
    const int ThinkMs = 1;

    readonly Disk _disk;
    readonly LiveWrites _writes;
    readonly Prng _prng;
    readonly AlignedRegion _buffer = AlignedRegion.Map(LiveWrites.WriteBytesMax, RegionResidency.Resident);
    readonly AutoResetEvent _ended = new(false);
    readonly Thread _thread;
    volatile bool _isStopping;
    volatile bool _isUnderBackup;
    Extent _extent;
    ulong _seed;

    public LiveGuest(Disk disk, LiveWrites writes, ulong number)
    {
        (_disk, _writes) = (disk, writes);
        _prng = new Prng(number);
        _thread = new Thread(Run) { Name = "guest-" + number, IsBackground = true };
    }

    /// <summary>Milliseconds of each write before the backup.</summary>
    public List<double> QuietMs { get; } = new(4096);

    /// <summary>Milliseconds of each write that began while the backup ran.</summary>
    public List<double> BackupMs { get; } = new(4096);

    /// <summary>The first fault of a write, or None.</summary>
    public Fault Fault { get; private set; }

    /// <summary>The times of all guests in one; percentiles are exact.</summary>
    public static LatencySummary Summarize(LiveGuest[] guests, Func<LiveGuest, List<double>> timesMs)
    {
        List<double> all = [];
        foreach (LiveGuest guest in guests)
            all.AddRange(timesMs(guest));
        all.Sort();
        return all.Count == 0
            ? default
            : new LatencySummary(
                (ulong)all.Count,
                Ns(all.Sum()),
                Ns(all[all.Count / 2]),
                Ns(all[(int)(all.Count * 0.99)]),
                Ns(all[^1])
            );
        static ulong Ns(double ms) => (ulong)(ms * Units.NsPerMs);
    }

    public void Start() => _thread.Start();

    public void SetUnderBackup(bool isUnderBackup) => _isUnderBackup = isUnderBackup;

    public void Stop()
    {
        _isStopping = true;
        _thread.Join();
    }

    public void OnGuestCompleted(ulong userData, Fault fault)
    {
        if (fault.IsNone)
            _writes.End(_extent, _seed);
        else if (Fault.IsNone)
            Fault = fault;
        _ended.Set();
    }

    public void Dispose()
    {
        _buffer.Dispose();
        _ended.Dispose();
    }

    void Run()
    {
        while (!_isStopping && Fault.IsNone)
        {
            ulong lengthBytes = Math.Min(1 + _prng.Below(LiveWrites.WriteBytesMax), _disk.CapacityBytes);
            // Half of the writes go to one tenth of the disk, so that they meet each other.
            ulong span = _prng.Chance(1, 2) ? _disk.CapacityBytes / 10 : _disk.CapacityBytes;
            ulong offsetBytes = _prng.Below(Math.Max(span, lengthBytes) - lengthBytes + 1);
            Extent extent = new(offsetBytes, lengthBytes);
            if (_writes.TryBegin(extent))
                Write(extent);
            Thread.Sleep(ThinkMs);
        }
    }

    void Write(in Extent extent)
    {
        (_extent, _seed) = (extent, _prng.NextULong());
        LiveWrites.Fill(_buffer.Slice(0, (int)extent.LengthBytes), _seed);
        GuestRequest request = new()
        {
            Operation = BlockOperation.Write,
            OffsetBytes = extent.OffsetBytes,
            LengthBytes = extent.LengthBytes,
            Buffer = _buffer.Start,
            Owner = this,
        };
        List<double> times = _isUnderBackup ? BackupMs : QuietMs;
        long start = Stopwatch.GetTimestamp();
        Fault refused = _disk.Submit(request);
        if (refused.IsFault)
        {
            Fault = refused;
            return;
        }
        _ended.WaitOne();
        times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
    }
}
