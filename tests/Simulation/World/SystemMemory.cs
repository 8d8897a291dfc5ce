// The memory that the engine takes from the system, on this thread: how much of it there is, and whether the next is
// refused. Bugs/SystemMemory.seam leads the engine's only owner of such memory here.
using System;

namespace FastBackup.Tests.Simulation.World;

static class SystemMemory
{
    [ThreadStatic]
    static long _takenBytes;

    [ThreadStatic]
    static int _grantsLeft; // before one is refused; 0: none is

    /// <summary>Taken and not given back; what only a finalizer gives back stays in it.</summary>
    public static long TakenBytes => _takenBytes;

    /// <summary>The so-manieth request from now on is refused, once; 0 = none.</summary>
    public static void RefuseOnce(int number) => _grantsLeft = number;

    public static bool Refuses() => _grantsLeft > 0 && --_grantsLeft == 0;

    public static void OnTaken(ulong lengthBytes) => _takenBytes += (long)lengthBytes;

    public static void OnGivenBack(ulong lengthBytes) => _takenBytes -= (long)lengthBytes;
}
