// The host's side of a queue: poll, dispatch, wait, event fd, log.
using System;
using System.Diagnostics;
using System.Globalization;
using System.Threading;
using FastBackup.Native.Devices;
using FastBackup.Native.Errors;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Queues;

sealed partial class QueueObject
{
    const int LogLineBytes = 512;

    // --- any thread
    readonly EventFd _eventFd;
    readonly EventFd _watchFd;
    int _isWatched; // for good: the host has the event fd
    int _isWaiting;
    int _isSignalled;
    int _isWoken;

    // --- the harvesting thread, which _isHarvesting makes one
    int _isHarvesting;
    CallbackStruct _callback;
    LogSinkStruct _log;
    ulong _logSequence;
    uint _logWarnings;
    bool _isStopLogged;
    int _hasLog;

    /// <summary>The descriptor; from now on posters raise it.</summary>
    public int Watch()
    {
        Interlocked.Exchange(ref _isWatched, 1);
        if (HasSomething)
            Signal();
        return _watchFd.Number;
    }

    public bool TryBeginHarvest() => Interlocked.CompareExchange(ref _isHarvesting, 1, 0) == 0;

    public void EndHarvest() => Volatile.Write(ref _isHarvesting, 0);

    public void Wake()
    {
        Interlocked.Exchange(ref _isWoken, 1);
        Signal();
    }

    /// <summary>Raises the event fd if that has not been done since it was last lowered.</summary>
    public void Signal()
    {
        if (Interlocked.Exchange(ref _isSignalled, 1) == 0)
            _eventFd.Raise();
    }

    void SignalIfWatched()
    {
        Interlocked.MemoryBarrier(); // see the head comment of QueueObject.cs
        if ((Volatile.Read(ref _isWatched) | Volatile.Read(ref _isWaiting)) != 0)
            Signal();
    }

    /// <summary>Fills an array with completions.</summary>
    /// <returns>How many.</returns>
    public unsafe int Fill(byte* completions, uint stride, int capacity, int countMin, long timeoutNs)
    {
        int count = 0;
        long start = countMin > 0 ? Stopwatch.GetTimestamp() : 0;
        while (true)
        {
            MakeCallsAndLog();
            int taken = 0;
            while (count < capacity && TryNext(out Completion completion))
            {
                // SAFETY: the host vouches for capacity elements of stride bytes; stride was checked.
                *(Completion*)(completions + (ulong)count * stride) = completion;
                count++;
                taken++;
            }
            if (taken > 0)
                Interlocked.Add(ref _pendingCount, -taken);
            if (count < capacity || capacity == 0)
                Lower();
            if (count >= countMin || IsTimeOver(start, timeoutNs, out int waitMs))
                return count;
            if (!Wait(waitMs))
                return count;
        }
    }

    /// <summary>Hands completions to the callback.</summary>
    /// <returns>How many.</returns>
    public unsafe int Dispatch(int capacity, int countMin, long timeoutNs)
    {
        int count = 0;
        long start = countMin > 0 ? Stopwatch.GetTimestamp() : 0;
        while (true)
        {
            MakeCallsAndLog();
            while (count < capacity && TryNext(out Completion completion))
            {
                Interlocked.Decrement(ref _pendingCount);
                count++;
                // SAFETY: the host's function, until its release was called; the completion is a local of ours.
                _callback.Call(_callback.Context, &completion);
            }
            if (count < capacity || capacity == 0)
                Lower();
            if (count >= countMin || IsTimeOver(start, timeoutNs, out int waitMs))
                return count;
            if (!Wait(waitMs))
                return count;
        }
    }

    /// <summary>The queue looked empty: lowers the event fd, and raises it again if that was too soon.</summary>
    void Lower()
    {
        if (Volatile.Read(ref _isSignalled) == 0)
            return;
        _eventFd.Lower();
        Interlocked.Exchange(ref _isSignalled, 0);
        if (HasSomething && Volatile.Read(ref _isWatched) != 0)
            Signal();
    }

    /// <returns>False when the wait is over because somebody called Wake.</returns>
    bool Wait(int waitMs)
    {
        Interlocked.Exchange(ref _isWaiting, 1);
        if (!HasSomething && Volatile.Read(ref _isWoken) == 0)
            _watchFd.Wait(waitMs);
        Volatile.Write(ref _isWaiting, 0);
        if (Volatile.Read(ref _isWoken) == 0 || Interlocked.Exchange(ref _isWoken, 0) == 0)
            return true;
        Lower();
        return false;
    }

    static bool IsTimeOver(long start, long timeoutNs, out int waitMs)
    {
        waitMs = -1;
        if (timeoutNs < 0)
            return false;
        long passedNs = (long)Stopwatch.GetElapsedTime(start).TotalNanoseconds;
        if (passedNs >= timeoutNs)
            return true;
        waitMs = (int)Math.Min(int.MaxValue, (timeoutNs - passedNs + 999_999) / 1_000_000);
        return false;
    }

    void MakeCallsAndLog()
    {
        _engine.Loop?.Drive();
        foreach (HostDevice device in Volatile.Read(ref _callers))
            device.MakeCalls();
        if (HasLogToWrite)
            WriteLog();
    }

    public bool HasCallback
    {
        get
        {
            unsafe
            {
                return _callback.Call != null; // SAFETY: compared only
            }
        }
    }

    /// <summary>Replaces the callback; the old one is released.</summary>
    public unsafe void SetCallback(in CallbackStruct callback)
    {
        CallbackStruct old = _callback;
        _callback = callback;
        if (old.Release != null)
            old.Release(old.Context); // SAFETY: the host's function, called once and forgotten
    }

    /// <summary>Replaces the sink; the old one is released. It begins with what happens from now on.</summary>
    public unsafe void SetLog(in LogSinkStruct sink)
    {
        LogSinkStruct old = _log;
        _log = sink;
        _logSequence = _engine.Events.LastSequence;
        bool isLogging = sink.Write != null;
        Volatile.Write(ref _hasLog, isLogging ? 1 : 0);
        _engine.SetLogging(this, isLogging);
        if (old.Release != null)
            old.Release(old.Context); // SAFETY: the host's function, called once and forgotten
    }

    bool HasLogToWrite =>
        Volatile.Read(ref _hasLog) != 0
        && (
            _engine.Events.LastSequence != _logSequence
            || _logWarnings < _engine.Core.Warnings.Count
            || (_engine.IsStopped && !_isStopLogged)
        );

    void WriteLog()
    {
        while (_logWarnings < _engine.Core.Warnings.Count)
            WriteLine(LogLevel.Warning, _engine.Core.Warnings[(int)_logWarnings++]);
        while (_engine.Events.TryNext(_logSequence, out EventStruct happened))
        {
            if (happened.Sequence != _logSequence + 1)
                WriteLine(LogLevel.Warning, "some events came faster than the log was read and are missing");
            _logSequence = happened.Sequence;
            WriteLine(LogLevel.Of(happened), LogLevel.Describe(happened));
        }
        if (!_engine.IsStopped || _isStopLogged)
            return;
        _isStopLogged = true;
        string why = _engine.Reactor.Failure?.Message ?? "a failed call";
        WriteLine(LogLevel.Error, string.Create(CultureInfo.InvariantCulture, $"the engine has stopped: {why}"));
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

    /// <summary>The end: callbacks are released. Nobody harvests any more.</summary>
    public void ReleaseCallbacks()
    {
        SetCallback(default);
        SetLog(default);
    }
}
