// Event, timer and epoll descriptors as far as the sources use them: counters that can be polled. Timers never expire.
using System;
using System.Collections.Generic;

namespace FastBackup.Tests.Schedules.Machine;

static class Kernel
{
    const int NumberFirst = 1000;

    sealed class Descriptor
    {
        public ulong Count;
        public readonly List<int> Sources = [];
    }

    static readonly List<Descriptor> s_descriptors = [];

    /// <summary>Before each run: all descriptors are gone.</summary>
    public static void Reset() => s_descriptors.Clear();

    public static int Open()
    {
        s_descriptors.Add(new Descriptor());
        return NumberFirst + s_descriptors.Count - 1;
    }

    static Descriptor Of(int number) => s_descriptors[number - NumberFirst];

    public static void Watch(int epoll, int source)
    {
        if (source >= 0)
            Of(epoll).Sources.Add(source);
    }

    public static bool IsReadable(int number) => Of(number).Count > 0 || Of(number).Sources.Exists(IsReadable);

    public static void Raise(int number)
    {
        Run.Step();
        Run.Fence();
        RaiseAtOnce(number);
    }

    /// <summary>Within a step that has begun.</summary>
    public static void RaiseAtOnce(int number) => Of(number).Count++;

    /// <returns>False when it was not raised.</returns>
    public static bool TryLower(int number)
    {
        Run.Step();
        Run.Fence();
        bool wasRaised = Of(number).Count > 0;
        Of(number).Count = 0;
        return wasRaised;
    }

    /// <summary>Waits until it is readable, or for ever where there is no time.</summary>
    public static void Poll(int number, int timeoutMs)
    {
        if (Run.Current == null)
            return;
        Run.Step();
        if (IsReadable(number))
            Run.CountReadyPoll();
        else if (timeoutMs != 0)
            _ = Run.Await(() => IsReadable(number), isTimed: timeoutMs > 0);
    }
}
