// Asks the memory for lines ahead of their use: one, or the dirty ones of a block. Where lines are few, each is a miss
// of about 100 ns, and code that branches on what it finds there waits for each of them in turn.
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace FastBackup.Bitmaps;

static class LinePrefetch
{
    /// <summary>Denser blocks are read in a row, which the hardware sees by itself.</summary>
    const int LinesMax = 24;

    /// <param name="start">Of it.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Line(void* start)
    {
        if (Sse.IsSupported) // SAFETY: a prefetch is a hint and faults on no address.
            Sse.Prefetch0(start);
    }

    /// <param name="block">64 lines.</param>
    /// <param name="lines">Which of them; nothing is done for more than 24.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Lines(ulong* block, ulong lines)
    {
        if (!Sse.IsSupported || lines == 0 || BitOperations.PopCount(lines) > LinesMax)
            return;
        for (; lines != 0; lines &= lines - 1)
            Line(block + (uint)BitOperations.TrailingZeroCount(lines) * BitmapShape.LineWords);
    }
}
