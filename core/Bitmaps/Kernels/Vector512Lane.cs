// 512-bit vectors: AVX-512 (F, BW, CD, DQ, VL) on x86-64.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FastBackup.Bitmaps.Kernels;

internal readonly struct Vector512Lane : IVectorLane<Vector512<ulong>>
{
    public static bool IsSupported => Vector512.IsHardwareAccelerated;

    public static nuint WordCount => (nuint)Vector512<ulong>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Load(ref readonly ulong words, nuint index) => Vector512.LoadUnsafe(in words, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<ulong> value, ref ulong words, nuint index) =>
        value.StoreUnsafe(ref words, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Broadcast(ulong word) => Vector512.Create(word);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Or(Vector512<ulong> left, Vector512<ulong> right) => left | right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> And(Vector512<ulong> left, Vector512<ulong> right) => left & right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Xor(Vector512<ulong> left, Vector512<ulong> right) => left ^ right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsZero(Vector512<ulong> value) => value == Vector512<ulong>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsAllOnes(Vector512<ulong> value) => value == Vector512<ulong>.AllBitsSet;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint NonZeroMask(Vector512<ulong> value) =>
        ~(uint)Vector512.Equals(value, Vector512<ulong>.Zero).ExtractMostSignificantBits()
        & ((1U << Vector512<ulong>.Count) - 1);
}
