// What a loop needs to know of one vector width. The lanes carry no loop: the loops are written once, in
// VectorKernel, with the width as a type parameter that the compiler resolves and inlines.
namespace FastBackup.Bitmaps.Kernels;

/// <typeparam name="TVector">A vector of whole 64-bit words, at most eight of them.</typeparam>
internal interface IVectorLane<TVector>
    where TVector : struct
{
    static abstract bool IsSupported { get; }

    /// <summary>Words per vector: a power of two, at most 8.</summary>
    static abstract nuint WordCount { get; }

    static abstract TVector Load(ref readonly ulong words, nuint index);

    static abstract void Store(TVector value, ref ulong words, nuint index);

    static abstract TVector Broadcast(ulong word);

    static abstract TVector Or(TVector left, TVector right);

    static abstract TVector And(TVector left, TVector right);

    static abstract TVector Xor(TVector left, TVector right);

    static abstract bool IsZero(TVector value);

    static abstract bool IsAllOnes(TVector value);

    /// <summary>Bit i tells whether word i is not zero.</summary>
    static abstract uint NonZeroMask(TVector value);

    /// <summary>Writes eight words: first + byte i of the packed bytes.</summary>
    static abstract void StoreWidened(ulong packedBytes, ulong first, ref ulong target);
}
