// One guest thread: writes random, overlapping, unaligned ranges for as long as the run lasts, half of them in
// hook mode (asks leave, writes by itself, says when it has ended) and half in device mode.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Memory;

namespace FastBackup.Tests.Stress;

sealed class Guest : IGuestOwner, IDisposable
{
    const int WriteBytesMax = 20_000;

    readonly Disk _disk;
    readonly StressDisk _source;
    readonly Prng _prng;
    readonly AlignedRegion _buffer = AlignedRegion.Map(WriteBytesMax, RegionResidency.Resident);
    readonly ManualResetEventSlim _completed = new();
    readonly Thread _thread;
    readonly bool _isHook;
    volatile bool _isStopping;
    Fault _fault;

    public Guest(Disk disk, StressDisk source, ulong seed, bool isHook)
    {
        (_disk, _source, _isHook) = (disk, source, isHook);
        _prng = new Prng(seed);
        _thread = new Thread(Run) { Name = "guest-" + seed };
    }

    public long WriteCount { get; private set; }

    public long PendingCount { get; private set; }

    public void Start() => _thread.Start();

    public void RequestStop() => _isStopping = true;

    public void Join() => _thread.Join();

    public void OnGuestCompleted(ulong userData, Fault fault)
    {
        _fault = fault;
        _completed.Set();
    }

    public void Dispose()
    {
        _buffer.Dispose();
        _completed.Dispose();
    }

    void Run()
    {
        while (!_isStopping)
        {
            ulong length = 1 + _prng.Below(WriteBytesMax);
            if (_prng.Chance(1, 2))
                length = Units.AlignUp(length, 512);
            length = Math.Min(Math.Min(length, WriteBytesMax), _disk.CapacityBytes);
            ulong offset = _prng.Below(_disk.CapacityBytes - length + 1);
            if (_prng.Chance(1, 2))
                offset = Units.AlignDown(offset, 512);
            Span<byte> bytes = _buffer.Slice(0, (int)length);
            _prng.Fill(bytes);
            if (_isHook)
                WriteByHook(offset, bytes);
            else
                WriteByDevice(offset, length);
            WriteCount++;
        }
    }

    void WriteByHook(ulong offset, ReadOnlySpan<byte> bytes)
    {
        _completed.Reset();
        Grant grant = _disk.BeginWrite(offset, (ulong)bytes.Length, this, 0, out Fault refused);
        if (grant == Grant.Refused)
        {
            Check.That(refused.Kind == FaultKind.QueueFull);
            Thread.Yield();
            return;
        }
        if (grant == Grant.Pending)
        {
            PendingCount++;
            _completed.Wait();
            Check.That(_fault.IsNone);
        }
        _source.Write(offset, bytes);
        _disk.EndWrite();
    }

    void WriteByDevice(ulong offset, ulong length)
    {
        _completed.Reset();
        GuestRequest request = new()
        {
            Operation = _prng.Chance(1, 8) ? BlockOperation.WriteZeroes : BlockOperation.Write,
            OffsetBytes = offset,
            LengthBytes = length,
            Buffer = _buffer.Start,
            Owner = this,
        };
        if (_disk.Submit(request).IsFault)
            return;
        PendingCount++;
        _completed.Wait();
        Check.That(_fault.IsNone);
    }
}
