// A port over disks that queue: virtual time, no content, and latencies that come from who else is in the queue.
//
//   push -> FIFO (or reads first) -> the pipe, one at a time -> the delay, all at once -> completion
//
// All files share one pipe: source and target lie on the same device. Reads deliver data that is not zero.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Tests.Simulated;

sealed class QueueingFileIo(SimulatedClock clock, DeviceProfile profile, ulong seed) : IFileIo
{
    readonly Prng _prng = new(seed);
    readonly Queue<FileCommand> _reads = new();
    readonly Queue<FileCommand> _writes = new(); // all others, and reads too where order is kept
    readonly PriorityQueue<FileCommand, (ulong TimeNs, ulong Sequence)> _delayed = new();
    FileCommand _served;
    ulong _servedUntilNs = ulong.MaxValue; // of the pipe; MaxValue = idle
    ulong _sequence;
    ulong _slowFreeNs;
    (int Fd, ulong OffsetBytes) _head;

    public string Name => profile.Name;

    /// <summary>Writes to this file end no faster than so many bytes a second; 0 = as the disk does them.</summary>
    public double SlowBytesPerSecond { get; init; }

    /// <summary>After a rest so much of its time's bytes come at once, as limits by tokens have it.</summary>
    public ulong SlowBurstNs { get; init; }

    public int SlowFd { get; init; }

    public uint InFlightCount =>
        (uint)(_reads.Count + _writes.Count + _delayed.Count) + (_servedUntilNs == ulong.MaxValue ? 0u : 1u);

    public bool TryPush(in FileCommand command)
    {
        if (profile.IsReadFirst && command.Operation == FileOperation.Read)
            _reads.Enqueue(command);
        else
            _writes.Enqueue(command);
        if (_servedUntilNs == ulong.MaxValue)
            Serve();
        return true;
    }

    public uint Poll(ulong waitNs)
    {
        ulong untilNs = waitNs > ulong.MaxValue - clock.NowNs ? ulong.MaxValue : clock.NowNs + waitNs;
        while (true)
        {
            ulong dueNs = _delayed.TryPeek(out _, out (ulong TimeNs, ulong Sequence) first)
                ? first.TimeNs
                : ulong.MaxValue;
            if (Math.Min(dueNs, _servedUntilNs) > untilNs)
                break;
            if (_servedUntilNs <= dueNs)
            {
                clock.AdvanceTo(_servedUntilNs);
                ulong delayNs = _prng.Chance(1, 50) ? profile.SlowDelayNs : profile.DelayNs;
                ulong endNs = _servedUntilNs + delayNs + _prng.Below(profile.DelayNs / 2 + 1);
                _delayed.Enqueue(_served, (Math.Max(endNs, SlowEndNs(_served)), _sequence++));
                _servedUntilNs = ulong.MaxValue;
                Serve();
                continue;
            }
            clock.AdvanceTo(dueNs);
            FileCommand command = _delayed.Dequeue();
            command.Owner.OnFileCompleted(command.Tag, KernelResult.ToFileResult(Execute(command)));
            return 1;
        }
        Check.That(untilNs != ulong.MaxValue); // nothing in flight, no timer: the loop would sleep for ever
        clock.AdvanceTo(untilNs);
        return 0;
    }

    public void Wake() { }

    public void Watch(int fd) => Check.Fail("nothing real is waited for here");

    public Fault RegisterMemory(AlignedRegion region) => Fault.None;

    public void UnregisterMemory(AlignedRegion region) { }

    public void UnregisterFile(FileHandle file) { }

    public void Abandon() { }

    public void Dispose() { }

    void Serve()
    {
        if (!_reads.TryDequeue(out _served) && !_writes.TryDequeue(out _served))
            return;
        ulong lengthBytes = _served.Operation is FileOperation.Read or FileOperation.Write ? _served.LengthBytes : 0;
        ulong serviceNs = profile.RequestNs + (ulong)(lengthBytes * 1e9 / profile.BytesPerSecond);
        bool isNext = _head == (_served.File.Fd, _served.OffsetBytes);
        if (profile.SeekNs > 0 && lengthBytes > 0 && !isNext)
            serviceNs += profile.SeekNs / 2 + _prng.Below(profile.SeekNs);
        if (lengthBytes > 0)
            _head = (_served.File.Fd, _served.OffsetBytes + lengthBytes);
        _servedUntilNs = clock.NowNs + serviceNs;
    }

    ulong SlowEndNs(in FileCommand command)
    {
        if (SlowBytesPerSecond <= 0 || command.File.Fd != SlowFd || command.Operation != FileOperation.Write)
            return 0;
        ulong workNs = (ulong)(command.LengthBytes * 1e9 / SlowBytesPerSecond);
        ulong restedNs = clock.NowNs - Math.Min(clock.NowNs, SlowBurstNs);
        return _slowFreeNs = Math.Max(_slowFreeNs, restedNs) + workNs;
    }

    static unsafe long Execute(in FileCommand command)
    {
        if (command.Operation == FileOperation.Map)
        {
            *(MapEntry*)command.Buffer = new MapEntry
            {
                OffsetBytes = command.OffsetBytes,
                LengthBytes = command.LengthBytes,
                Kind = ExtentKind.Data,
            };
            return 1;
        }
        if (command.Operation == FileOperation.Read)
            for (ulong offset = 0; offset < command.LengthBytes; offset += 4096)
                ((byte*)command.Buffer)[offset] = 1;
        return command.Operation is FileOperation.Read or FileOperation.Write ? (long)command.LengthBytes : 0;
    }
}
