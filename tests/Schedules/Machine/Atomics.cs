// What the engine's sources find under the names of the framework's atomics, because these are in a namespace around
// theirs: each is a step of a run, or plain outside of one.
//
// Volatile stores may be delayed, interlocked operations are fences, reads see memory as their thread does.
using System.Collections.Generic;
using System.Numerics;
using System.Runtime.CompilerServices;
using FastBackup.Tests.Schedules.Machine;

namespace FastBackup;

static class Volatile
{
    public static T Read<T>(ref readonly T place)
    {
        Run.Step();
        return place;
    }

    public static void Write<T>(ref T place, T value)
    {
        Run.Step();
        if (Run.Current != null && Run.IsDelayed())
            Run.Self.Stores.Add(new Store<T>(ref place, value));
        else
            place = value;
    }

    // A constant is an int to the compiler, whatever it is written to.
    public static void Write(ref ulong place, ulong value) => Write<ulong>(ref place, value);

    public static void Write(ref byte place, byte value) => Write<byte>(ref place, value);
}

static class Interlocked
{
    public static ulong Exchange(ref ulong place, ulong value) => Exchange<ulong>(ref place, value);

    public static ulong CompareExchange(ref ulong place, ulong value, ulong expected) =>
        CompareExchange<ulong>(ref place, value, expected);

    public static long Read(ref long place)
    {
        Begin();
        return place;
    }

    public static T Exchange<T>(ref T place, T value)
    {
        Begin();
        if (Run.Current != null)
            Run.Self.ExchangeCount++;
        T old = place;
        place = value;
        return old;
    }

    public static T CompareExchange<T>(ref T place, T value, T expected)
    {
        Begin();
        T old = place;
        bool isSame = typeof(T).IsValueType
            ? EqualityComparer<T>.Default.Equals(old, expected)
            : ReferenceEquals(old, expected);
        if (isSame)
            place = value;
        return old;
    }

    public static T Add<T>(ref T place, T value)
        where T : IBinaryInteger<T>
    {
        Begin();
        return place += value;
    }

    public static T Increment<T>(ref T place)
        where T : IBinaryInteger<T> => Add(ref place, T.One);

    public static T Decrement<T>(ref T place)
        where T : IBinaryInteger<T> => Add(ref place, T.Zero - T.One);

    public static T And<T>(ref T place, T value)
        where T : IBinaryInteger<T>
    {
        Begin();
        T old = place;
        place &= value;
        return old;
    }

    public static T Or<T>(ref T place, T value)
        where T : IBinaryInteger<T>
    {
        Begin();
        T old = place;
        place |= value;
        return old;
    }

    public static void MemoryBarrier()
    {
        if (Run.Missing != Fences.OfOneThread)
            Begin();
    }

    static void Begin()
    {
        Run.Step();
        Run.Fence();
    }
}

struct SpinWait
{
    int _count;

    public void SpinOnce(int sleep1Threshold = 0)
    {
        Base.Check.That(sleep1Threshold >= -1);
        _count++;
        Run.GiveWay();
    }
}
