// How many guest writes are under way, counted by many threads without a fence and summed by one.
//
// A cell is a cache line that one stack frame owns: whoever adds to it has a frame at the address that the cell
// names. No two threads have a frame at one address at a time, so a plain add is enough. A later owner of the same
// address (the same thread's next call, a new thread on an old stack, a coroutine that moved to another thread) sees
// all earlier adds by the same order that lets it see its stack. Nothing is looked up in thread-local storage,
// nothing must be given back when a thread ends: threads call from few depths, and the system reuses stacks. Who
// finds no free cell (128 a disk) adds with interlocked instructions to a shared one, which costs some ns more, as
// does everybody where the kernel has no membarrier.
//
// The order that matters, against a reactor that closes the gate and then reads the sum (see the head of Disk.cs): a
// begin is visible before its thread looks at the gate, or that thread sees the gate closed. Between a plain store
// and a load only a full fence makes that true. The reactor issues it on the guests' behalf (FenceGuests), between
// its store of the gate and its sum. Let F be the fence's point in a guest thread:
//   the add comes before F    the fence makes it visible before the reactor sums
//   the add comes after F     so does the look at the gate, which then sees what was stored before F: closed
// The add and the look are volatile, so the compiler keeps their order; the processor's is of no matter on either
// side of F, on x86-64 and arm64 alike. The same holds for an end and its look at the gate: either the sum has it, or
// it sees the closed gate and posts, and the reactor that takes the post sees the end before it.
//
// A begin and its end may come from different threads, only the sums mean something. Begins and ends are counted
// apart, because both together also tell how long writes take (WriteMeter). The difference is exact when it matters:
// while the gate is closed every granted begin is visible, and nothing but ends and begin-then-undo pairs (on one
// cell) happens. So it can be too high, never too low; whoever ends or undoes last asks for another look. A thread
// that dies between begin and end leaves a write that anybody may end.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Memory;
using FastBackup.Pacing;

namespace FastBackup.Filter;

/// <summary>Threads: Begin, Undo and End any; the rest the reactor's.</summary>
sealed class InFlightCounter : IWriteCounts
{
    const int OwnedCount = 128;
    const int SharedCount = 16;
    const int ProbeMax = 8;
    const int CellBytes = 128;
    const int HashShift = 64 - 7; // for OwnedCount

    [StructLayout(LayoutKind.Explicit, Size = CellBytes)]
    internal struct Cell
    {
        /// <summary>The address of its owner's frame; 0 = free, or shared.</summary>
        [FieldOffset(0)]
        public ulong Frame;

        [FieldOffset(8)]
        public ulong BegunCount;

        [FieldOffset(16)]
        public ulong EndedCount;
    }

    readonly Cell[] _cells = GC.AllocateArray<Cell>(OwnedCount + SharedCount + 1, pinned: true);
    readonly nint _skipBytes; // to the first line
    readonly bool _mayOwn;

    /// <param name="mayOwn">False: interlocked adds only, which need no fence of the reactor's.</param>
    public unsafe InFlightCounter(bool mayOwn)
    {
        _mayOwn = mayOwn;
        fixed (Cell* first = _cells) // SAFETY: the array is pinned for good; only the address is looked at
            _skipBytes = (CellBytes - (nint)((nuint)first % CellBytes)) % CellBytes;
    }

    public InFlightCounter()
        : this(ProcessFence.IsAvailable) { }

    // SAFETY: pinned, so the distance to the first line stays; index is below OwnedCount + SharedCount, and one cell
    // more than those is allocated.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    unsafe ref Cell At(nuint index) =>
        ref Unsafe.AddByteOffset(
            ref MemoryMarshal.GetArrayDataReference(_cells),
            _skipBytes + (nint)(index * CellBytes)
        );

    /// <summary>The frame's multiplicative hash: stacks lie at large powers of two from each other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static nuint Home(ulong frame) => (nuint)(frame * 0x9E37_79B9_7F4A_7C15 >> HashShift);

    /// <summary>What the caller reads afterwards by a volatile read is ordered as the head comment says.</summary>
    /// <param name="frame">Address of a local of a method that is running: of the caller, or a caller of it.</param>
    /// <returns>For <see cref="Undo"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref Cell Begin(ulong frame)
    {
        ref Cell cell = ref At(Home(frame));
        if (cell.Frame != frame)
            return ref BeginElsewhere(frame);
        Volatile.Write(ref cell.BegunCount, cell.BegunCount + 1);
        return ref cell;
    }

    /// <summary>Its home is another's. Apart, so that those at home have one look at the owner and no more.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    ref Cell BeginElsewhere(ulong frame)
    {
        ref Cell cell = ref Find(frame);
        if (cell.Frame == frame)
            Volatile.Write(ref cell.BegunCount, cell.BegunCount + 1);
        else
            Interlocked.Increment(ref cell.BegunCount);
        return ref cell;
    }

    /// <summary>The begin of this frame did not happen.</summary>
    public static void Undo(ref Cell cell, ulong frame)
    {
        if (cell.Frame == frame)
            Volatile.Write(ref cell.BegunCount, cell.BegunCount - 1);
        else
            Interlocked.Decrement(ref cell.BegunCount);
    }

    /// <param name="frame">As for <see cref="Begin"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void End(ulong frame)
    {
        ref Cell cell = ref At(Home(frame));
        if (cell.Frame == frame)
            Volatile.Write(ref cell.EndedCount, cell.EndedCount + 1);
        else
            EndElsewhere(frame);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    void EndElsewhere(ulong frame)
    {
        ref Cell cell = ref Find(frame);
        if (cell.Frame == frame)
            Volatile.Write(ref cell.EndedCount, cell.EndedCount + 1);
        else
            Interlocked.Increment(ref cell.EndedCount);
    }

    /// <summary>Between the closing of a gate and the sum: see the head comment.</summary>
    public void FenceGuests()
    {
        if (_mayOwn)
            ProcessFence.Issue();
        else
            Interlocked.MemoryBarrier();
    }

    public long Sum()
    {
        Read(out ulong begunCount, out ulong endedCount);
        return (long)(begunCount - endedCount);
    }

    /// <summary>All that have ended.</summary>
    public ulong EndedCount
    {
        get
        {
            Read(out _, out ulong endedCount);
            return endedCount;
        }
    }

    public void Read(out ulong begunCount, out ulong endedCount)
    {
        Interlocked.MemoryBarrier();
        (begunCount, endedCount) = (0, 0);
        for (nuint i = 0; i < OwnedCount + SharedCount; i++)
        {
            ref Cell cell = ref At(i);
            endedCount += Volatile.Read(ref cell.EndedCount);
            begunCount += Volatile.Read(ref cell.BegunCount);
        }
    }

    /// <summary>The frame's own cell, taken now if need be, or a shared one.</summary>
    ref Cell Find(ulong frame)
    {
        nuint home = Home(frame);
        for (nuint i = 0; i < ProbeMax && _mayOwn; i++)
        {
            ref Cell cell = ref At((home + i) % OwnedCount);
            ulong owner = Volatile.Read(ref cell.Frame);
            if (owner == frame || (owner == 0 && Interlocked.CompareExchange(ref cell.Frame, frame, 0) == 0))
                return ref cell;
        }
        return ref At(OwnedCount + ((nuint)Environment.CurrentManagedThreadId % SharedCount));
    }
}
