// A store that other threads do not see yet: in a processor's store buffer, as x86-64 has them, or held up as arm64
// may. Its own thread sees it at once, also by plain reads: so it is in memory while that thread runs, and what was
// there before is put back whenever another one does.
using System.Runtime.CompilerServices;

namespace FastBackup.Tests.Schedules.Machine;

abstract class Store
{
    /// <summary>Exchanges what memory has with what this has.</summary>
    public abstract void Swap();
}

sealed unsafe class Store<T> : Store
{
    readonly void* _place;
    T _other;

    /// <summary>Made while its thread runs: memory has the new value, this the old one.</summary>
    public Store(ref T place, T value)
    {
#pragma warning disable RS0030 // no collection runs while this is there: see Explorer.cs
        _place = Unsafe.AsPointer(ref place);
#pragma warning restore RS0030
        (_other, place) = (place, value);
    }

    public override void Swap()
    {
        ref T place = ref Unsafe.AsRef<T>(_place);
        (_other, place) = (place, _other);
    }
}
