// 512-bit vectors: AVX-512 (F, BW, CD, DQ, VL) on x86-64.
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreWidened(ulong packedBytes, ulong first, ref ulong target)
    {
        Vector512<ulong> offsets;
        if (Avx512F.IsSupported)
        {
            offsets = Avx512F.ConvertToVector512UInt64(Vector128.CreateScalarUnsafe(packedBytes).AsByte());
        }
        else
        {
            Vector128<ushort> words = Vector128.WidenLower(Vector128.CreateScalar(packedBytes).AsByte());
            Vector256<ulong> low = Vector256.WidenLower(Vector128.WidenLower(words).ToVector256());
            Vector256<ulong> high = Vector256.WidenLower(Vector128.WidenUpper(words).ToVector256());
            offsets = Vector512.Create(low, high);
        }
        (offsets + Vector512.Create(first)).StoreUnsafe(ref target);
    }
}
