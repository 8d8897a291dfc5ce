// What a queue tells its host beside completions: events, one by one, and lines of the log. Both are read from the
// engine's own log of events, each from its own place, so that any number of queues may tell them.
//
// An event is in that log before the completion that it leads to is posted: whoever has taken a completion sees it
// there, and tells it first.
using System;
using System.Globalization;
using System.Threading;
using FastBackup.Native.Header;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Objects;

sealed partial class QueueObject
{
    const int LogLineBytes = 512;
    const int LogSink = 1;
    const int EventSink = 2;

    int _sinks; // which there are

    // --- the harvesting thread
    LogSinkStruct _log;
    ulong _logSequence;
    uint _logWarnings;
    bool _isStopLogged;
    EventSinkStruct _events;
    ulong _eventSequence;

    /// <summary>Replaces the sink; the old one is released. It begins with what happens from now on.</summary>
    public unsafe void SetLog(in LogSinkStruct sink)
    {
        LogSinkStruct old = _log;
        _log = sink;
        _logSequence = _engine.Events.LastSequence;
        SetSink(LogSink, sink.Write != null);
        if (old.Release != null)
            old.Release(old.Context); // SAFETY: the host's function, called once and forgotten
    }

    /// <summary>Replaces the sink; the old one is released. It begins with what happens from now on.</summary>
    public unsafe void SetEvents(in EventSinkStruct sink)
    {
        EventSinkStruct old = _events;
        _events = sink;
        _eventSequence = _engine.Events.LastSequence;
        SetSink(EventSink, sink.Tell != null);
        if (old.Release != null)
            old.Release(old.Context); // SAFETY: the host's function, called once and forgotten
    }

    void SetSink(int sink, bool isThere)
    {
        int sinks = isThere ? _sinks | sink : _sinks & ~sink;
        Volatile.Write(ref _sinks, sinks);
        _engine.SetReading(this, sinks != 0);
    }

    bool HasSomethingToTell => Volatile.Read(ref _sinks) != 0 && (HasLogToWrite || HasEventsToTell);

    bool HasEventsToTell =>
        (Volatile.Read(ref _sinks) & EventSink) != 0 && _engine.Events.LastSequence != _eventSequence;

    void TellSinks()
    {
        if (HasEventsToTell)
            TellEvents();
        if (HasLogToWrite)
            WriteLog();
    }

    /// <summary>Completions were taken: what led to them comes first.</summary>
    void TellWhatLedTo()
    {
        if (HasEventsToTell)
            TellEvents();
    }

    /// <summary>As far as there are now: what the host does meanwhile is told the next time.</summary>
    unsafe void TellEvents()
    {
        ulong last = _engine.Events.LastSequence;
        while (_eventSequence < last && _engine.Events.TryNext(_eventSequence, out EventStruct happened))
        {
            _eventSequence = happened.Sequence;
            // SAFETY: the host's function, until its release was called; the event is a local of ours.
            _events.Tell(_events.Context, &happened);
        }
    }

    bool HasLogToWrite =>
        (Volatile.Read(ref _sinks) & LogSink) != 0
        && (
            _engine.Events.LastSequence != _logSequence
            || _logWarnings < _engine.Core.Warnings.Count
            || (_engine.IsStopped && !_isStopLogged)
        );

    void WriteLog()
    {
        while (_logWarnings < _engine.Core.Warnings.Count)
            WriteLine(Fb.LogWarning, _engine.Core.Warnings[(int)_logWarnings++]);
        while (_engine.Events.TryNext(_logSequence, out EventStruct happened))
        {
            if (happened.Sequence != _logSequence + 1)
                WriteLine(Fb.LogWarning, "some events came faster than the log was read and are missing");
            _logSequence = happened.Sequence;
            WriteLine(LogLevel.Of(happened), LogLevel.Describe(happened));
        }
        if (!_engine.IsStopped || _isStopLogged)
            return;
        _isStopLogged = true;
        string why = _engine.Reactor.Failure?.Message ?? "a failed call";
        WriteLine(Fb.LogError, string.Create(CultureInfo.InvariantCulture, $"the engine has stopped: {why}"));
    }

    unsafe void WriteLine(uint level, string text)
    {
        if (level > _log.LevelMax || _log.Write == null)
            return;
        Span<byte> line = stackalloc byte[LogLineBytes];
        int length = Utf8Name.Write(text, line);
        fixed (byte* start = line)
        {
            // SAFETY: the host's function, until its release was called; the text is a local of ours.
            _log.Write(_log.Context, level, start, (uint)length);
        }
    }
}
