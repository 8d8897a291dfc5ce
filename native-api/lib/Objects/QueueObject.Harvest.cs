// The host's side of a queue: poll, dispatch, wait, event fd.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Objects;

sealed partial class QueueObject
{
    // --- any thread
    readonly EventFlag _event;
    readonly EventFd _watchFd;
    int _isWatched; // for good: the host has the event fd
    int _isWaiting;
    int _isWoken;

    // --- the harvesting thread, which _isHarvesting makes one
    int _isHarvesting;
    CallbackStruct _callback;

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
    public void Signal() => _event.Raise();

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
            MakeCallsAndTell();
            int taken = 0;
            while (count < capacity && TryNext(out CompletionStruct completion))
            {
                // SAFETY: the host vouches for capacity elements of stride bytes; stride was checked.
                *(CompletionStruct*)(completions + (ulong)count * stride) = completion;
                count++;
                taken++;
            }
            if (taken > 0)
            {
                Interlocked.Add(ref _pendingCount, -taken);
                TellWhatLedTo();
            }
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
            MakeCallsAndTell();
            while (count < capacity && TryNext(out CompletionStruct completion))
            {
                Interlocked.Decrement(ref _pendingCount);
                count++;
                TellWhatLedTo();
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
        if (_event.TryLower() && HasSomething && Volatile.Read(ref _isWatched) != 0)
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

    void MakeCallsAndTell()
    {
        _engine.Loop?.Drive();
        foreach (IQueueCaller device in Volatile.Read(ref _callers))
            device.MakeCalls();
        if (Volatile.Read(ref _sinks) != 0)
            TellSinks();
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

    /// <summary>The end: callbacks are released. Nobody harvests any more.</summary>
    public void ReleaseCallbacks()
    {
        SetCallback(default);
        SetLog(default);
        SetEvents(default);
    }
}
