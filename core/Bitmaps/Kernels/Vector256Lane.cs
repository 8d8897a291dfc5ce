// 256-bit vectors: AVX2 on x86-64.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastBackup.Bitmaps.Kernels;

internal readonly struct Vector256Lane : IVectorLane<Vector256<ulong>>
{
    public static bool IsSupported => Vector256.IsHardwareAccelerated;

    public static nuint WordCount => (nuint)Vector256<ulong>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Load(ref readonly ulong words, nuint index) => Vector256.LoadUnsafe(in words, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<ulong> value, ref ulong words, nuint index) =>
        value.StoreUnsafe(ref words, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Broadcast(ulong word) => Vector256.Create(word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Or(Vector256<ulong> left, Vector256<ulong> right) => left | right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> And(Vector256<ulong> left, Vector256<ulong> right) => left & right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Xor(Vector256<ulong> left, Vector256<ulong> right) => left ^ right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsZero(Vector256<ulong> value) => value == Vector256<ulong>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsAllOnes(Vector256<ulong> value) => value == Vector256<ulong>.AllBitsSet;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint NonZeroMask(Vector256<ulong> value) =>
        ~(uint)Vector256.Equals(value, Vector256<ulong>.Zero).ExtractMostSignificantBits()
        & ((1U << Vector256<ulong>.Count) - 1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreWidened(ulong packedBytes, ulong first, ref ulong target)
    {
        Vector128<ushort> words = Vector128.WidenLower(Vector128.CreateScalar(packedBytes).AsByte());
        Vector256<ulong> low = Vector256.WidenLower(Vector128.WidenLower(words).ToVector256());
        Vector256<ulong> high = Vector256.WidenLower(Vector128.WidenUpper(words).ToVector256());
        (low + Vector256.Create(first)).StoreUnsafe(ref target);
        (high + Vector256.Create(first)).StoreUnsafe(ref target, 4);
    }
}
