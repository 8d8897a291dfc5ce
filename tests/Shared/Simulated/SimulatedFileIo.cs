// A port without a kernel: simulated disks, virtual latencies, completions in the order of their times,
// and faults from a seed. What FileDevice, CopyEngine and jobs do on it is what they do in production.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Tests.Simulated;

sealed class SimulatedFileIo(SimulatedClock clock, ulong seed, SimulatedFaults faults) : IFileIo
{
    readonly Prng _prng = new(seed);
    readonly Dictionary<int, SimulatedDisk> _disks = [];
    readonly PriorityQueue<FileCommand, (ulong TimeNs, ulong Sequence)> _commands = new();
    readonly List<FileCommand> _held = [];
    ulong _sequence;

    public string Name => "simulated";

    public uint InFlightCount => (uint)(_commands.Count + _held.Count);

    public SimulatedFaults Faults { get; set; } = faults;

    /// <summary>Commands that got a fault of any kind.</summary>
    public ulong FaultCount { get; private set; }

    /// <summary>Commands accepted at once before TryPush refuses.</summary>
    public int Depth { get; init; } = int.MaxValue;

    /// <summary>Commands by operation, for tests of work done.</summary>
    public Dictionary<FileOperation, ulong> Counts { get; } = [];

    /// <summary>Sees each command when it is carried out; a non-null answer replaces the result.</summary>
    public Func<FileCommand, long?>? Override { get; set; }

    /// <summary>Commands for which this is true are not carried out before ReleaseHeld.</summary>
    public Predicate<FileCommand>? Holds { get; set; }

    /// <summary>What was held is on its way, and nothing is held any more.</summary>
    public void ReleaseHeld()
    {
        Holds = null;
        foreach (FileCommand command in _held)
            _commands.Enqueue(command, (clock.NowNs + 1, _sequence++));
        _held.Clear();
    }

    /// <summary>Those of what was held for which this is true are on their way; the rest stays held.</summary>
    public void ReleaseHeld(Predicate<FileCommand> isMeant)
    {
        foreach (FileCommand command in _held.FindAll(isMeant))
            _commands.Enqueue(command, (clock.NowNs + 1, _sequence++));
        _held.RemoveAll(isMeant);
    }

    public SimulatedDisk Add(int fd, ulong capacityBytes, uint alignBytes = 1)
    {
        SimulatedDisk disk = new(fd, capacityBytes) { AlignBytes = alignBytes };
        _disks.Add(fd, disk);
        return disk;
    }

    public bool TryPush(in FileCommand command)
    {
        if (_commands.Count >= Depth)
            return false;
        Counts[command.Operation] = Counts.GetValueOrDefault(command.Operation) + 1;
        if (Holds?.Invoke(command) == true)
        {
            _held.Add(command);
            return true;
        }
        ulong timeNs = clock.NowNs + 1 + _prng.Below(Faults.LatencyNsMax);
        _commands.Enqueue(command, (timeNs, _sequence++));
        return true;
    }

    public uint Poll(ulong waitNs)
    {
        if (waitNs > 0)
        {
            ulong untilNs = waitNs > ulong.MaxValue - clock.NowNs ? ulong.MaxValue : clock.NowNs + waitNs;
            if (_commands.TryPeek(out _, out (ulong TimeNs, ulong Sequence) first))
                untilNs = Math.Min(untilNs, first.TimeNs);
            Check.That(untilNs != ulong.MaxValue); // nothing in flight, no timer: the loop would sleep for ever
            clock.AdvanceTo(untilNs);
        }
        uint delivered = 0;
        while (
            _commands.TryPeek(out FileCommand command, out (ulong TimeNs, ulong Sequence) due)
            && due.TimeNs <= clock.NowNs
        )
        {
            _commands.Dequeue();
            long result = Override?.Invoke(command) ?? Execute(command);
            command.Owner.OnFileCompleted(command.Tag, KernelResult.ToFileResult(result));
            delivered++;
        }
        return delivered;
    }

    public void Wake() { }

    public void Watch(int fd) => Check.Fail("nothing real is waited for here");

    public Fault RegisterMemory(AlignedRegion region) => Fault.None;

    public void UnregisterMemory(AlignedRegion region) { }

    public void UnregisterFile(FileHandle file) { }

    public void Abandon() { }

    public void Dispose() { }

    bool Fires(uint perThousand)
    {
        if (perThousand == 0 || !_prng.Chance(perThousand, 1000))
            return false;
        FaultCount++;
        return true;
    }

    long Execute(in FileCommand command)
    {
        SimulatedDisk disk = _disks[command.File.Fd];
        if (Fires(Faults.Again))
            return -Errnos.EAGAIN;
        if (Fires(Faults.Interrupted))
            return -Errnos.EINTR;
        return command.Operation switch
        {
            FileOperation.Read => Fires(Faults.ReadError) ? -Errnos.EIO : Transfer(command, disk),
            FileOperation.Write when Fires(Faults.WriteError) => -Errnos.EIO,
            FileOperation.Write when Fires(Faults.NoSpace) => -Errnos.ENOSPC,
            FileOperation.Write => Transfer(command, disk),
            FileOperation.Punch or FileOperation.ZeroRange or FileOperation.Discard => Clear(command, disk),
            FileOperation.Flush => Fires(Faults.FlushError) ? -Errnos.EIO : 0,
            FileOperation.Map when Faults.MapError > 0 && Fires(Faults.MapError) => -Errnos.EIO,
            FileOperation.Map => Map(command, disk),
            FileOperation.Size => Fires(Faults.SizeError) ? -Errnos.EIO : (long)disk.SizeBytes,
            _ => 0,
        };
    }

    unsafe long Transfer(in FileCommand command, SimulatedDisk disk)
    {
        bool isDirect = ReferenceEquals(command.File, disk.Handle);
        ulong misalignment = command.OffsetBytes | command.LengthBytes | (ulong)command.Buffer;
        if (isDirect && misalignment % disk.AlignBytes != 0)
            return -Errnos.EINVAL;
        ulong lengthBytes = command.LengthBytes;
        if (Fires(Faults.ShortCount))
            lengthBytes = 1 + _prng.Below(lengthBytes);
        // SAFETY: the pusher owns LengthBytes at Buffer until the completion.
        Span<byte> buffer = new((void*)command.Buffer, (int)lengthBytes);
        if (command.Operation == FileOperation.Write)
        {
            // a write may not grow the file
            Check.That(command.OffsetBytes + lengthBytes <= (ulong)disk.Content.Length);
            disk.Write(command.OffsetBytes, buffer);
            return (long)lengthBytes;
        }
        if (command.OffsetBytes >= disk.SizeBytes)
            return 0;
        int available = (int)Math.Min(lengthBytes, disk.SizeBytes - command.OffsetBytes);
        disk.Content.AsSpan((int)command.OffsetBytes, available).CopyTo(buffer);
        return available;
    }

    long Clear(in FileCommand command, SimulatedDisk disk)
    {
        if (Faults.RefusesAllocate)
            return -Errnos.EOPNOTSUPP;
        if (Fires(Faults.MisalignedAllocate))
            return -Errnos.EINVAL;
        if (Fires(Faults.WriteError))
            return -Errnos.EIO;
        if (command.Operation == FileOperation.ZeroRange)
            disk.Zero(command.OffsetBytes, command.LengthBytes);
        else
            disk.Punch(command.OffsetBytes, command.LengthBytes);
        return 0;
    }

    static unsafe long Map(in FileCommand command, SimulatedDisk disk) =>
        // SAFETY: the pusher owns room for so many entries at Buffer until the completion.
        disk.Map(
            command.OffsetBytes,
            command.LengthBytes,
            new Span<MapEntry>((void*)command.Buffer, command.MapCapacity)
        );
}
