// The port without a kernel: commands on disk images with virtual latencies, delivered in the order of their times,
// with the faults of the plan. Data moves either when a command is pushed or when it is delivered, whichever the
// seed says: an engine may rely on neither. Nothing is allocated per command.
using System;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Ports.Linux;
using FastBackup.Tests.Simulated;

namespace FastBackup.Tests.Simulation.World;

/// <summary>Sees changes before they can happen.</summary>
interface IPortWatcher
{
    /// <summary>Of a source.</summary>
    void OnChangeSubmitted(DiskImage image, ulong offsetBytes, ulong lengthBytes);

    /// <summary>Of a target or a scratch file.</summary>
    /// <param name="image">Which.</param>
    /// <param name="offsetBytes">Where.</param>
    /// <param name="lengthBytes">How much.</param>
    /// <param name="bytes">What will be there; empty: zeroes.</param>
    void OnTargetChangeSubmitted(DiskImage image, ulong offsetBytes, ulong lengthBytes, ReadOnlySpan<byte> bytes);
}

sealed class SimulationPort(SimulatedClock clock, Prng prng, FaultPlan plan, Tallies tallies, int depth) : IFileIo
{
    struct Entry
    {
        public FileCommand Command;
        public DiskImage Image;
        public long Result;
        public bool IsExecuted;

        /// <summary>A write of parts of pages: its first and last page as they were when it began.</summary>
        public byte[]? Pages;
        public uint Sequence;
    }

    readonly record struct Due(ulong TimeNs, uint Sequence, int Index);

    readonly Entry[] _entries = new Entry[depth];
    readonly int[] _free = new int[depth];
    readonly Due[] _heap = new Due[depth];
    readonly int[] _hung = new int[depth];
    int _freeCount = -1;
    int _heapCount;
    int _hungCount;
    uint _sequence;
    uint _lastDelivered;
    readonly CommandEffects _effects = new(prng, plan, tallies);
    DiskImage[] _images = new DiskImage[64];

    public string Name => "simulation";

    public uint InFlightCount => (uint)(_heapCount + _hungCount);

    public int HungCount => _hungCount;

    public IPortWatcher? Watcher { get; set; }

    /// <summary>Called in each poll before it delivers: what other threads do meanwhile.</summary>
    public Action? Polling { get; set; }

    /// <summary>Everything that was delivered, rolled into one number.</summary>
    public ulong Hash { get; private set; } = 14695981039346656037;

    public Action<string>? Log { get; set; }

    /// <summary>What runs now is a guest's thread, which has no business here.</summary>
    public bool IsOnGuestsThread { get; set; }

    public void Add(DiskImage image)
    {
        if (image.Fd >= _images.Length)
            Array.Resize(ref _images, image.Fd * 2);
        _images[image.Fd] = image;
    }

    public void Mix(ulong value) => Hash = (Hash ^ value) * 1099511628211;

    public bool TryPush(in FileCommand command)
    {
        if (IsOnGuestsThread)
            throw new SimulationFailure("O19", $"a guest's thread hands a {command.Operation} to the reactor's port");
        if (_freeCount < 0)
            for (_freeCount = 0; _freeCount < depth; _freeCount++)
                _free[_freeCount] = depth - 1 - _freeCount;
        if (_freeCount == 0)
        {
            tallies.Count(Mishap.PortFull);
            return false;
        }
        if (command.File.Workers is FileThreads threads && threads.Begin())
            throw new SimulationFailure("O23", $"a file of {threads.Count} threads is given one command more");
        int index = _free[--_freeCount];
        ref Entry entry = ref _entries[index];
        entry.Command = command;
        entry.Image = _images[command.File.Fd];
        entry.IsExecuted = false;
        entry.Sequence = ++_sequence;
        bool isChange = IsChange(command.Operation);
        if (isChange)
        {
            entry.Image.ChangesInFlight++;
            Tell(command, entry.Image);
            if (entry.Image.IsScratch)
                CheckUnread(index);
        }
        if (entry.Image.HasPageCache && command.Operation == FileOperation.Write)
            entry.Pages = _effects.TakePages(command, entry.Image);
        if (entry.Pages == null && prng.Below(65536) < plan.EarlyPart)
        {
            entry.Result = _effects.Execute(entry.Command, entry.Image, entry.Pages);
            entry.IsExecuted = true;
        }
        if (entry.Image.IsHung || prng.Below(65536) < plan.Hung)
        {
            tallies.Count(Mishap.Hung);
            _hung[_hungCount++] = index;
            return true;
        }
        Put(new Due(clock.NowNs + Latency(), entry.Sequence, index));
        return true;
    }

    /// <summary>O22: what is captured in scratch space is not overwritten under a reader.</summary>
    void CheckUnread(int written)
    {
        Extent extent = new(_entries[written].Command.OffsetBytes, _entries[written].Command.LengthBytes);
        foreach (ref readonly Entry entry in _entries.AsSpan())
        {
            ref readonly FileCommand other = ref entry.Command;
            bool isRead = other.Owner != null && other.Operation == FileOperation.Read;
            bool isSame = isRead && ReferenceEquals(entry.Image, _entries[written].Image);
            if (isSame && extent.Overlaps(new Extent(other.OffsetBytes, other.LengthBytes)))
                throw new SimulationFailure(
                    "O22",
                    $"scratch space at {extent.OffsetBytes} is used again under a reader"
                );
        }
    }

    unsafe void Tell(in FileCommand command, DiskImage image)
    {
        if (!image.IsTarget)
        {
            Watcher?.OnChangeSubmitted(image, command.OffsetBytes, command.LengthBytes);
            return;
        }
        bool isZeroes = command.Operation != FileOperation.Write;
        // The pusher owns LengthBytes at Buffer until the completion.
        ReadOnlySpan<byte> bytes = isZeroes ? default : new((void*)command.Buffer, (int)command.LengthBytes);
        Watcher?.OnTargetChangeSubmitted(image, command.OffsetBytes, command.LengthBytes, bytes);
    }

    public uint Poll(ulong waitNs)
    {
        if (waitNs > 0)
            Pass(waitNs, ulong.MaxValue);
        Polling?.Invoke();
        uint delivered = 0;
        while (_heapCount > 0 && _heap[0].TimeNs <= clock.NowNs)
        {
            Deliver(Take().Index);
            delivered++;
        }
        return delivered;
    }

    /// <summary>Time goes on to the next completion, to a deadline, or for so long.</summary>
    public void Pass(ulong waitNs, ulong deadlineNs)
    {
        ulong untilNs = Math.Min(deadlineNs, clock.NowNs + Math.Min(waitNs, 10 * Units.NsPerSecond));
        clock.AdvanceTo(_heapCount > 0 ? Math.Min(untilNs, _heap[0].TimeNs) : untilNs);
    }

    /// <summary>A completion waits to be delivered.</summary>
    public bool HasDue => _heapCount > 0 && _heap[0].TimeNs <= clock.NowNs;

    /// <summary>What hung answers from now on.</summary>
    public void ReleaseHung()
    {
        while (_hungCount > 0)
        {
            int index = _hung[--_hungCount];
            Put(new Due(clock.NowNs + Latency(), _entries[index].Sequence, index));
        }
    }

    public void Wake() { }

    public void Watch(int fd) => Check.Fail("nothing real is waited for here");

    public Fault RegisterMemory(AlignedRegion region) => Fault.None;

    public void UnregisterMemory(AlignedRegion region) { }

    public void Abandon() { }

    public void UnregisterFile(FileHandle file) { }

    public void Dispose() { }

    static bool IsChange(FileOperation operation) =>
        operation is FileOperation.Write or FileOperation.Punch or FileOperation.ZeroRange or FileOperation.Discard;

    void Deliver(int index)
    {
        ref Entry entry = ref _entries[index];
        if (!entry.IsExecuted)
            entry.Result = _effects.Execute(entry.Command, entry.Image, entry.Pages);
        FileCommand command = entry.Command;
        long result = entry.Result;
        if (IsChange(command.Operation))
            entry.Image.ChangesInFlight--;
        if (entry.Sequence < _lastDelivered)
            tallies.Count(Mishap.Reordered);
        _lastDelivered = Math.Max(_lastDelivered, entry.Sequence);
        Mix(clock.NowNs);
        Mix((ulong)command.File.Fd << 56 ^ (ulong)command.Operation << 48 ^ command.OffsetBytes);
        Mix((ulong)result);
        Log?.Invoke(
            $"  {command.Operation} fd {command.File.Fd} {command.OffsetBytes}+{command.LengthBytes} = {result}"
        );
        if (entry.Pages != null)
            _effects.GiveBack(entry.Pages);
        entry.Pages = null;
        entry.Command = default;
        (command.File.Workers as FileThreads)?.End();
        _free[_freeCount++] = index;
        command.Owner.OnFileCompleted(command.Tag, KernelResult.ToFileResult(result));
    }

    ulong Latency()
    {
        if (plan.Spike > 0 && prng.Below(65536) < plan.Spike)
        {
            tallies.Count(Mishap.LatencySpike);
            return plan.SpikeNs;
        }
        ulong mean = plan.LatencyNs;
        if (!plan.IsExponential)
            return 1 + prng.Below(mean * 2);
        int halvings = System.Numerics.BitOperations.TrailingZeroCount(prng.NextULong() | 1UL << 12);
        return 1 + prng.Below(mean << halvings >> 1 | 1);
    }

    void Put(Due due)
    {
        int index = _heapCount++;
        while (index > 0 && IsBefore(due, _heap[(index - 1) / 2]))
        {
            _heap[index] = _heap[(index - 1) / 2];
            index = (index - 1) / 2;
        }
        _heap[index] = due;
    }

    Due Take()
    {
        Due first = _heap[0];
        Due last = _heap[--_heapCount];
        int index = 0;
        while (true)
        {
            int child = index * 2 + 1;
            if (child >= _heapCount)
                break;
            if (child + 1 < _heapCount && IsBefore(_heap[child + 1], _heap[child]))
                child++;
            if (!IsBefore(_heap[child], last))
                break;
            _heap[index] = _heap[child];
            index = child;
        }
        _heap[index] = last;
        return first;
    }

    static bool IsBefore(in Due left, in Due right) =>
        left.TimeNs != right.TimeNs ? left.TimeNs < right.TimeNs : left.Sequence < right.Sequence;
}
