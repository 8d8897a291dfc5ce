// A fixed-length array of plain values in unmanaged memory, zero at start. Never moved by the GC, so
// addresses into it may be kept for as long as the array lives.
using System;
using System.Runtime.CompilerServices;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>Threads: as its elements are used; Dispose once, when nobody uses it.</summary>
public sealed unsafe class NativeArray<T> : IDisposable
    where T : unmanaged
{
    readonly AlignedRegion _region;
    readonly T* _items;

    /// <param name="count">Elements, may be 0.</param>
    /// <param name="residency">Lazy for tables that stay mostly empty.</param>
    public NativeArray(ulong count, RegionResidency residency)
    {
        _region = AlignedRegion.Map(checked(count * (ulong)sizeof(T)), residency);
        _items = (T*)_region.Start;
        Count = count;
    }

    public ulong Count { get; }

    public T* Pointer => _items;

    public ref T this[ulong index]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            Check.That(index < Count);
            // SAFETY: the index was just checked; the region lives as long as this object.
            return ref _items[index];
        }
    }

    public Span<T> AsSpan() => new(_items, checked((int)Count));

    public void Dispose() => _region.Dispose();
}
