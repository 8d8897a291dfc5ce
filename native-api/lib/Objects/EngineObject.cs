// An engine as hosts hold it. Cold calls about its children take a turn of the reactor's thread (Run), where they are
// alone; while one is on its way the engine cannot be closed under it.
//
// A bug stops the engine, never the process: guests pass, snapshots are lost, what waits is answered.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Ports;
using FastBackup.Runtime;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any, unless a member says otherwise.</summary>
sealed class EngineObject : AbiObject, IHandleKind, ILoopTask
{
    readonly Lock _lock = new();
    int _useCount; // children, and cold calls on their way
    int _childCount;
    bool _isClosing;
    Exception? _bug;
    ISignalled[] _readers = [];

    [ThreadStatic]
    static bool s_isLibraryThread;

    /// <summary>
    /// The calling thread was started by the library. Turns of an engine that the host drives are the host's: this one
    /// waits for them.
    /// </summary>
    public static bool IsLibraryThread
    {
        get => s_isLibraryThread;
        set => s_isLibraryThread = value;
    }

    public static HandleKind Kind => HandleKind.Engine;

    public static string Noun => "engine";

    public required Runtime.Engine Core { get; init; }

    public Reactor Reactor => Core.Reactor;

    /// <summary>What drives it from the host's threads; null when it has a thread of its own.</summary>
    public HostLoop? Loop { get; init; }

    /// <summary>The reactor's thread only.</summary>
    public JobTable Jobs { get; } = new();

    public EventLog Events { get; } = new();

    /// <summary>Disk objects that are open, in the order of their opening. The reactor's thread only.</summary>
    public List<AbiObject> Disks { get; } = [];

    /// <summary>Jobs so far: each gets the next number. The reactor's thread only.</summary>
    public ulong JobNumber { get; set; }

    /// <summary>Who is told of jobs. The reactor's thread only; replaced, never changed.</summary>
    public IJobObserver[] Observers { get; set; } = [];

    public uint ChildCount => (uint)Volatile.Read(ref _childCount);

    public bool IsStopped => Reactor.HasFailed || Volatile.Read(ref _bug) != null;

    /// <summary>Keeps the engine open until <see cref="Release"/>.</summary>
    public bool TryRetain(bool isChild)
    {
        lock (_lock)
        {
            if (_isClosing)
                return false;
            _useCount++;
            _childCount += isChild ? 1 : 0;
            return true;
        }
    }

    public void Release(bool isChild)
    {
        lock (_lock)
        {
            _useCount--;
            _childCount -= isChild ? 1 : 0;
        }
    }

    /// <summary>Runs a cold call about an object on the reactor's thread, and waits for it.</summary>
    /// <param name="subject">Must still be open when the turn comes.</param>
    /// <param name="call">Does it.</param>
    public Answer Run(AbiObject subject, Func<Answer> call)
    {
        if (!TryRetain(isChild: false))
            return Answer.Handle("engine");
        try
        {
            Answer answer = default;
            void Turn() => answer = subject.IsClosed ? Answer.Handle("a handle that was just closed") : call();
            if (IsLibraryThread && Loop != null)
                Reactor.InvokeInTurn(Turn);
            else
                Reactor.Invoke(Turn);
            return answer;
        }
        finally
        {
            Release(isChild: false);
        }
    }

    /// <summary>As <see cref="Run"/>, for what cannot begin once a bug has stopped the engine.</summary>
    public Answer RunUnlessStopped(AbiObject subject, Func<Answer> call) =>
        IsStopped ? StoppedAnswer() : Run(subject, call);

    public static Answer StoppedAnswer() => new(Status.Bug, default, "the engine was stopped by an internal error");

    /// <summary>A bug was met outside the reactor: it stops in its next turn.</summary>
    public void Stop(Exception bug)
    {
        if (Interlocked.CompareExchange(ref _bug, bug, null) == null)
            _ = Reactor.TryPost(this, 0);
    }

    public override void StopEngine(Exception bug) => Stop(bug);

    void ILoopTask.Run(ulong argument) =>
        throw new InvalidOperationException("stopped: " + Volatile.Read(ref _bug)!.Message);

    void ILoopTask.Abandon(ulong argument)
    {
        // It has stopped already.
    }

    /// <summary>The end, unless something of it is open.</summary>
    public Answer CloseIfUnused()
    {
        if (Reactor.IsOnThread)
            return Answer.State("an engine cannot be closed from a callback on its own thread");
        lock (_lock)
        {
            if (_isClosing)
                return Answer.Handle(Noun);
            if (_useCount > 0)
                return Answer.State($"{_childCount} queues, devices, disks or jobs of the engine are open");
            _isClosing = true;
        }
        HandleTable.Close(this);
        Core.Dispose();
        return Answer.Ok;
    }

    /// <summary>Who reads events is woken by them.</summary>
    public void SetReading(ISignalled reader, bool isReading)
    {
        lock (_lock)
        {
            List<ISignalled> readers = [.. _readers];
            _ = readers.Remove(reader);
            if (isReading)
                readers.Add(reader);
            Volatile.Write(ref _readers, [.. readers]);
        }
    }

    public void WakeReaders()
    {
        foreach (ISignalled reader in Volatile.Read(ref _readers))
            reader.Signal();
    }
}
