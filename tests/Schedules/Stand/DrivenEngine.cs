// A host-driven engine with a queue for each of its threads, and what they do: have something posted to the engine,
// then poll their own queue until its completion is there. For ever: nobody but they drive it.
using System;
using FastBackup.Base;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Ports;
using FastBackup.Runtime;
using FastBackup.Tests.Schedules.Machine;

namespace FastBackup.Tests.Schedules.Stand;

sealed class DrivenEngine : ILoopTask
{
    readonly EngineObject _engine;
    readonly QueueObject[] _queues;
    readonly int[] _watchFds;

    readonly OneShotPort? _port;

    /// <param name="queueCount">Threads that poll, at most.</param>
    /// <param name="withFiles">Over a port with threads of files, or one where nothing happens.</param>
    /// <param name="forgets">That port forgets to say that it must be polled again.</param>
    public DrivenEngine(int queueCount, bool withFiles = false, bool forgets = false)
    {
        Kernel.Reset();
        _port = withFiles ? new OneShotPort(forgets) : null;
        Engine core = new(_port ?? (IFileIo)new QuietPort(), _port?.ReadyFd ?? -1);
        Check.That(HostLoop.TryCreate(core, out HostLoop? loop).IsNone);
        HostLoop = loop!;
        _engine = new EngineObject { Core = core, Loop = loop };
        _queues = new QueueObject[queueCount];
        _watchFds = new int[queueCount];
        for (int i = 0; i < queueCount; i++)
        {
            Check.That(EventFd.TryCreate(out EventFd? eventFd).IsNone);
            Check.That(HostLoop.TryWatch(eventFd!.Number, out _watchFds[i]).IsNone);
            _queues[i] = new QueueObject(_engine, 1, eventFd, new EventFd(_watchFds[i]));
        }
    }

    public HostLoop HostLoop { get; }

    public Reactor Reactor => _engine.Reactor;

    /// <summary>What one of its threads does.</summary>
    public Action Guest(int queue, int postCount = 1) =>
        () =>
        {
            for (int i = 0; i < postCount; i++)
            {
                Post(queue);
                Await(queue);
            }
        };

    /// <summary>What a thread with an event loop does: it sleeps until its queue's descriptor is readable.</summary>
    public unsafe Action Loop(int queue) =>
        () =>
        {
            int watched = _queues[queue].Watch();
            Post(queue);
            CompletionStruct completion;
            do Kernel.Poll(watched, -1);
            while (_queues[queue].Fill((byte*)&completion, (uint)sizeof(CompletionStruct), 1, 0, 0) == 0);
            Check.That(completion.UserData == (ulong)queue);
        };

    /// <summary>What a thread does that polls only: another one posts for it.</summary>
    public Action Listener(int queue) => () => Await(queue);

    /// <summary>What a thread does that never polls: one of the host's that has finished a request, say.</summary>
    public Action Poster(int queue) => () => Post(queue);

    /// <summary>What the thread of a file does: it finishes some commands, one after the other.</summary>
    public Action FileThread(int queue, int commandCount) =>
        () =>
        {
            for (int i = 0; i < commandCount; i++)
            {
                _queues[queue].CountPendingGrant();
                _port!.Finish(_queues[queue], (ulong)queue);
            }
        };

    /// <summary>What a thread with an event loop does that waits for so many completions.</summary>
    public unsafe Action Sleeper(int queue, int completionCount) =>
        () =>
        {
            int watched = _queues[queue].Watch();
            CompletionStruct completion;
            for (int i = 0; i < completionCount; i++)
                while (_queues[queue].Fill((byte*)&completion, (uint)sizeof(CompletionStruct), 1, 0, 0) == 0)
                    Kernel.Poll(watched, -1);
        };

    /// <summary>What a thread does that makes a cold call.</summary>
    public Action Caller(int queue) => () => Reactor.Invoke(() => Post(queue));

    void Post(int queue)
    {
        _queues[queue].CountPendingGrant();
        while (!Reactor.TryPost(this, (ulong)queue))
            Run.GiveWay();
    }

    unsafe void Await(int queue)
    {
        CompletionStruct completion;
        int count = _queues[queue].Fill((byte*)&completion, (uint)sizeof(CompletionStruct), 1, 1, -1);
        Check.That(count == 1);
        Check.That(completion.UserData == (ulong)queue);
    }

    /// <summary>On the reactor: the completion.</summary>
    void ILoopTask.Run(ulong argument) =>
        ((FastBackup.Filter.IGuestOwner)_queues[argument]).OnGuestCompleted(argument, Fault.None);

    /// <summary>After all have ended: nothing is left, and no descriptor that says there were.</summary>
    public unsafe string? Look()
    {
        for (int i = 0; i < _queues.Length; i++)
        {
            CompletionStruct completion;
            for (int round = 0; round < 2; round++)
                if (_queues[i].Fill((byte*)&completion, (uint)sizeof(CompletionStruct), 1, 0, 0) != 0)
                    return "a completion too many in queue " + i;
            if (_queues[i].PendingCount != 0)
                return "queue " + i + " still counts something";
        }
        for (int i = 0; i < _queues.Length; i++)
            if (Kernel.IsReadable(_watchFds[i]))
                return "the descriptor of queue " + i + " is readable, and there is nothing";
        return null;
    }
}
