// Sizes and the four divisions: exact, down, up, and powers of two. Sums of untrusted numbers go
// through TryAdd or a checked context; these functions assume values that were checked before.
using System.Numerics;
using System.Runtime.CompilerServices;

namespace FastBackup.Base;

public static class Units
{
    public const ulong KiB = 1UL << 10;
    public const ulong MiB = 1UL << 20;
    public const ulong GiB = 1UL << 30;
    public const ulong TiB = 1UL << 40;

    public const ulong NsPerUs = 1_000;
    public const ulong NsPerMs = 1_000_000;
    public const ulong NsPerSecond = 1_000_000_000;

    /// <param name="value">Any.</param>
    /// <param name="alignment">A power of two.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AlignDown(ulong value, ulong alignment) => value & ~(alignment - 1);

    /// <param name="value">At most 2^64 - alignment.</param>
    /// <param name="alignment">A power of two.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong AlignUp(ulong value, ulong alignment) => (value + alignment - 1) & ~(alignment - 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsAligned(ulong value, ulong alignment) => (value & (alignment - 1)) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong DivCeil(ulong value, ulong divisor) => value / divisor + (value % divisor == 0 ? 0UL : 1UL);

    public static bool IsPowerOfTwo(ulong value) => BitOperations.IsPow2(value);

    /// <summary>False when the sum does not fit 64 bits.</summary>
    public static bool TryAdd(ulong left, ulong right, out ulong sum)
    {
        sum = unchecked(left + right);
        return sum >= left;
    }
}
