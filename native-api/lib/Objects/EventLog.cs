// The last 1024 things that happened in an engine, each with a number. Readers keep their own place, so there may be
// any number of them, and one that comes too late sees a gap in the numbers.
using System;
using System.Threading;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any. Allocates nothing after construction.</summary>
sealed class EventLog
{
    const int Capacity = 1024;

    readonly Lock _lock = new();
    readonly EventStruct[] _events = new EventStruct[Capacity];
    ulong _lastSequence;

    public ulong LastSequence => Volatile.Read(ref _lastSequence);

    public void Add(EventStruct happened)
    {
        lock (_lock)
        {
            happened.Sequence = _lastSequence + 1;
            _events[happened.Sequence % Capacity] = happened;
            Volatile.Write(ref _lastSequence, happened.Sequence);
        }
    }

    /// <summary>The oldest kept event after a number.</summary>
    /// <returns>False when there is none.</returns>
    public bool TryNext(ulong sequence, out EventStruct happened)
    {
        lock (_lock)
        {
            happened = default;
            if (sequence >= _lastSequence)
                return false;
            ulong oldest = _lastSequence > Capacity ? _lastSequence - Capacity + 1 : 1;
            happened = _events[Math.Max(oldest, sequence + 1) % Capacity];
            return true;
        }
    }
}
