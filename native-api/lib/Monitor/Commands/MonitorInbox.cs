// What the monitor's thread is to do for others: send an event to its clients, send the answer of a command that took
// its time, run something. In one queue, so that clients see events and answers in the order in which they happened.
//
// Events are dropped, oldest kept, once too many wait: clients that come late must not take the host's memory.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Commands;

/// <summary>Threads: any post, one takes.</summary>
sealed class MonitorInbox(EventFd wake)
{
    const int EventsMax = 8192;

    readonly Lock _lock = new();
    readonly Queue<(JsonValue? Event, Action? Work)> _items = new();
    int _eventCount;

    public EventFd Wake => wake;

    public void PostEvent(JsonValue happened)
    {
        lock (_lock)
        {
            if (_eventCount == EventsMax)
                return;
            _eventCount++;
            _items.Enqueue((happened, null));
        }
        wake.Raise();
    }

    public void Post(Action work)
    {
        lock (_lock)
            _items.Enqueue((null, work));
        wake.Raise();
    }

    public bool TryTake(out JsonValue? happened, out Action? work)
    {
        lock (_lock)
        {
            bool isThere = _items.TryDequeue(out (JsonValue? Event, Action? Work) item);
            (happened, work) = item;
            _eventCount -= happened != null ? 1 : 0;
            return isThere;
        }
    }
}
