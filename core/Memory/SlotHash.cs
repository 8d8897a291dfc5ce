// Where a key belongs in an open-addressed table: Fibonacci hashing. The highest bits of the product depend on all of
// the key, so neighbours are spread, and multiples of a power of two do not meet in a few slots. Knows no table.
using System.Numerics;

namespace FastBackup.Memory;

/// <param name="capacity">Slots: a power of two, at least 2.</param>
readonly struct SlotHash(ulong capacity)
{
    readonly int _shift = BitOperations.LeadingZeroCount(capacity) + 1;

    /// <returns>Less than the capacity.</returns>
    public ulong Home(ulong key) => key * 0x9E37_79B9_7F4A_7C15 >> _shift;
}
