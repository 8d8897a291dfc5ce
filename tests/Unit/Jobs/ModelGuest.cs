// A guest in virtual time that writes 4 KiB at random places of a disk, or reads or flushes too: at random times at a
// given rate (open loop), or so many at a time (closed loop); through the engine (device mode) or by itself with the
// engine's leave (hook mode).
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Memory;
using FastBackup.Pacing;
using FastBackup.Ports;
using FastBackup.Runtime;

namespace FastBackup.Tests.Unit.Jobs;

sealed class ModelGuest : IGuestOwner, IFileIoOwner, ILoopTask
{
    const ulong WriteBytes = 4096;
    const ulong ThinkNs = 8_000;

    readonly Reactor _reactor;
    readonly Disk _disk;
    readonly FileHandle _file;
    readonly ModelLoad _load;
    readonly Prng _prng;
    readonly AlignedRegion _buffer = AlignedRegion.Map(WriteBytes, RegionResidency.Resident);
    readonly List<(BlockOperation Operation, ulong ArrivedNs, ulong OffsetBytes)> _requests = [];
    bool _isOn;
    bool _isLooping;

    public ModelGuest(Reactor reactor, Disk disk, FileHandle file, ModelLoad load, ulong seed)
    {
        (_reactor, _disk, _file, _load) = (reactor, disk, file, load);
        _prng = new Prng(seed);
    }

    /// <summary>When each request ended, and how long it took.</summary>
    public List<(ulong EndedNs, ulong LatencyNs)> Ended { get; } = [];

    public int OutCount { get; private set; }

    public void SetOn(bool isOn)
    {
        _isOn = isOn;
        if (!isOn || _isLooping)
            return;
        _isLooping = true;
        if (_load.PerSecond > 0)
            Later();
        for (int i = 0; i < _load.Depth; i++)
            Begin();
    }

    /// <summary>What every request takes between guest and engine, or on the host's own path to the device.</summary>
    const ulong TransportNs = 50 * Units.NsPerUs;

    /// <summary>Latencies of what ended in the interval, as the guest sees them, sorted.</summary>
    public List<ulong> Latencies(ulong fromNs, ulong toNs)
    {
        List<ulong> latencies = [];
        foreach ((ulong endedNs, ulong latencyNs) in Ended)
            if (endedNs >= fromNs && endedNs < toNs)
                latencies.Add(latencyNs + TransportNs);
        latencies.Sort();
        return latencies;
    }

    /// <summary>Open loop: the next arrival. Closed loop: a slot has thought enough.</summary>
    public void Run(ulong argument)
    {
        if (!_isOn)
        {
            _isLooping = false;
            return;
        }
        Begin();
        if (_load.PerSecond > 0)
            Later();
    }

    public void OnGuestCompleted(ulong userData, Fault fault)
    {
        Check.That(fault.IsNone);
        if (_load.IsHook)
            Write(userData);
        else
            End(userData);
    }

    public void OnFileCompleted(ulong tag, in FileResult result)
    {
        (BlockOperation operation, ulong arrivedNs, _) = _requests[(int)tag];
        if (operation == BlockOperation.Write)
            _disk.EndWrite();
        // Of a write that waited this is too much; they are few, and a real host has the time of the device at hand.
        if (_load.Reports)
            _disk.Pulse.Report(ClassOf(operation), _reactor.Clock.NowNs - arrivedNs);
        End(tag);
    }

    static GuestClass ClassOf(BlockOperation operation) =>
        operation == BlockOperation.Flush
            ? GuestClass.Flush
            : GuestPulse.ClassOf(operation == BlockOperation.Write, WriteBytes);

    void Later()
    {
        double gapNs = -Math.Log(1 - _prng.NextULong() / 18446744073709551616.0) * 1e9 / _load.PerSecond;
        _reactor.StartTimer(_reactor.Clock.NowNs + (ulong)gapNs + 1, this, 0);
    }

    void Begin()
    {
        ulong blockCount = (_load.SpanBytes == 0 ? _disk.CapacityBytes : _load.SpanBytes) / WriteBytes;
        ulong block = _load.ZipfExponent > 0 ? Zipf(blockCount) : _prng.Below(blockCount);
        bool isRead = _load.ReadPercent > 0 && _prng.Below(100) < _load.ReadPercent;
        Begin(isRead ? BlockOperation.Read : BlockOperation.Write, _load.SpanStartBytes + (block * WriteBytes));
    }

    /// <summary>A block by its rank, the ranks scattered over the span.</summary>
    ulong Zipf(ulong blockCount)
    {
        double exponent = 1 - _load.ZipfExponent;
        double uniform = _prng.NextULong() / 18446744073709551616.0;
        double rank = Math.Pow(((Math.Pow(blockCount, exponent) - 1) * uniform) + 1, 1 / exponent);
        return (ulong)rank * 2_654_435_761 % blockCount;
    }

    void Begin(BlockOperation operation, ulong offsetBytes)
    {
        _requests.Add((operation, _reactor.Clock.NowNs, offsetBytes));
        ulong index = (ulong)_requests.Count - 1;
        OutCount++;
        if (_load.IsHook && operation != BlockOperation.Write)
        {
            Write(index);
            return;
        }
        if (_load.IsHook)
        {
            Grant grant = _disk.BeginWrite(offsetBytes, WriteBytes, this, index, out _);
            Check.That(grant != Grant.Refused);
            if (grant == Grant.Granted)
                Write(index);
            return;
        }
        GuestRequest request = new()
        {
            Operation = operation,
            OffsetBytes = operation == BlockOperation.Flush ? 0 : offsetBytes,
            LengthBytes = operation == BlockOperation.Flush ? 0 : WriteBytes,
            Buffer = operation == BlockOperation.Flush ? 0 : _buffer.Start,
            Owner = this,
            UserData = index,
        };
        Check.That(_disk.Submit(request).IsNone);
    }

    void Write(ulong index)
    {
        FileCommand command = default;
        command.Operation = _requests[(int)index].Operation switch
        {
            BlockOperation.Read => FileOperation.Read,
            BlockOperation.Flush => FileOperation.Flush,
            _ => FileOperation.Write,
        };
        command.File = _file;
        (command.OffsetBytes, command.LengthBytes) = (_requests[(int)index].OffsetBytes, WriteBytes);
        command.Buffer = _buffer.Start;
        (command.Owner, command.Tag) = (this, index);
        Check.That(_reactor.FileIo.TryPush(command));
    }

    void End(ulong index)
    {
        OutCount--;
        ulong nowNs = _reactor.Clock.NowNs;
        (BlockOperation operation, ulong arrivedNs, ulong offsetBytes) = _requests[(int)index];
        Ended.Add((nowNs, nowNs - arrivedNs));
        if (_load.FlushesEach && operation == BlockOperation.Write)
            Begin(BlockOperation.Flush, offsetBytes);
        else if (_load.Depth > 0)
            _reactor.StartTimer(nowNs + ThinkNs, this, 0);
    }
}
