// Packs clusters on all processors, and gives them back in the order in which they came: what is written one behind the
// other lies so in the file. A bounded number is under way; who finds no room waits, and that is a job, never a guest.
// Memory: 80 KiB a cluster under way, four of them for each thread, and what the encoders take: under 2 MiB a thread.
using System;
using System.Numerics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's; Rent and Return the crew's.</summary>
sealed class ClusterPacker : IDisposable
{
    /// <summary>A slot's task then does the work itself.</summary>
    public const ulong OnLoop = 1;

    const int ThreadsMax = 64;
    const int SlotsAThread = 4;

    readonly IIoLoop _loop;
    readonly WorkCrew? _crew;
    readonly Action _onDone;
    readonly ConcurrentRing<ClusterDeflater> _deflaters;
    readonly PackingSlot[] _slots; // in a circle, oldest at _first
    readonly AlignedRegion _memory;
    int _first;

    /// <param name="loop">Where it comes back.</param>
    /// <param name="packing">How.</param>
    /// <param name="crew">Null: it is done on the loop.</param>
    /// <param name="threadCount">Of the crew.</param>
    /// <param name="onDone">Told when the oldest may be done.</param>
    public ClusterPacker(IIoLoop loop, NewImagePacking packing, WorkCrew? crew, int threadCount, Action onDone)
    {
        (_loop, _crew, _onDone) = (loop, crew, onDone);
        int count = Math.Clamp(threadCount, 1, ThreadsMax);
        _deflaters = new ConcurrentRing<ClusterDeflater>(Math.Max(2, BitOperations.RoundUpToPowerOf2((uint)count)));
        for (int i = 0; i < count; i++)
            _deflaters.Put(new ClusterDeflater(packing));
        _slots = new PackingSlot[SlotsAThread * count];
        _memory = AlignedRegion.Map((ulong)_slots.Length * ClusterDeflater.PackedBytesRoom, RegionResidency.Resident);
        for (int i = 0; i < _slots.Length; i++)
            _slots[i] = new PackingSlot(this, _memory.Start + i * ClusterDeflater.PackedBytesRoom);
    }

    /// <summary>Threads that are worth having for it.</summary>
    public static int ThreadCount => Math.Clamp(Environment.ProcessorCount, 1, ThreadsMax);

    public int BusyCount { get; private set; }

    public bool HasRoom => BusyCount < _slots.Length;

    /// <summary>Begins with a cluster.</summary>
    /// <param name="key">Of its request.</param>
    /// <param name="offsetBytes">Where on the disk.</param>
    /// <param name="plain">A cluster of memory, which stays as it is until then.</param>
    public void Start(ulong key, ulong offsetBytes, nint plain)
    {
        Check.That(HasRoom);
        PackingSlot slot = _slots[(_first + BusyCount++) % _slots.Length];
        slot.Begin(key, offsetBytes, plain);
        if (_crew == null)
            _loop.Defer(slot, OnLoop);
        else
            _crew.Push(slot, _loop, slot.Done);
    }

    /// <summary>The oldest, where it is done.</summary>
    public bool TryPeek(out PackingSlot slot)
    {
        slot = _slots[_first];
        return BusyCount > 0 && slot.IsDone;
    }

    /// <summary>The oldest is needed no more.</summary>
    public void Free()
    {
        _first = (_first + 1) % _slots.Length;
        BusyCount--;
    }

    public void OnDone() => _onDone();

    /// <summary>There is one for each thread: at worst another is about to give his back.</summary>
    public ClusterDeflater Rent()
    {
        ClusterDeflater? deflater;
        SpinWait spin = default;
        while (!_deflaters.TryTake(out deflater))
            spin.SpinOnce();
        return deflater;
    }

    public void Return(ClusterDeflater deflater) => _deflaters.Put(deflater);

    public void Dispose()
    {
        if (BusyCount > 0)
        {
            _memory.Leak(); // of a loop that has stopped: the crew may still write to it
            return;
        }
        _memory.Dispose();
        while (_deflaters.TryTake(out ClusterDeflater? deflater))
            deflater.Dispose();
    }
}
