// The monitor's thread: waits for its socket, its clients and its inbox, and has commands carried out one after the
// other. It waits for the engine a turn at a time, never for a client, a device or a guest; so one client cannot hold
// up another, and none of them the engine.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Interop.Linux;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Jobs;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Monitor.Plans;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Server;

/// <summary>Threads: its own; Start and Stop any, one at a time.</summary>
sealed class MonitorLoop(
    CommandDispatcher dispatcher,
    MonitorListener listener,
    MonitorInbox inbox,
    MonitorTurns turns,
    StartedJobs jobs,
    WaitingPlans plans
)
{
    const int StackBytes = 1 << 20; // values nest 1024 deep
    const int TickMs = 500;
    const int RetryMs = 20;
    const int DriveMs = 1;

    readonly List<MonitorClient> _clients = [];
    readonly ClientDoor _door = new(listener);
    readonly PollFd[] _polls = new PollFd[ClientDoor.ClientsMax + 2];
    Thread? _thread;
    int _isStopping;
    bool _hasJobsToClose;

    public void Start()
    {
        _thread = new Thread(Run, StackBytes) { Name = "fb-monitor", IsBackground = true };
        _thread.Start();
    }

    public void Stop()
    {
        Volatile.Write(ref _isStopping, 1);
        inbox.Wake.Raise();
        HostLoop? host = turns.Engine.Loop;
        while (_thread != null && !_thread.Join(host == null ? Timeout.Infinite : DriveMs))
            host!.Drive(); // a command waits for a turn
        _thread = null;
        _door.Close();
    }

    /// <summary>Jobs were dismissed: their handles go with the next turn.</summary>
    public void CloseJobs() => _hasJobsToClose = true;

    void Run()
    {
        ThreadName.Set("fb-monitor");
        EngineObject.IsLibraryThread = true;
        ShortPauses.Begin();
        try
        {
            while (Volatile.Read(ref _isStopping) == 0)
                Turn();
        }
#pragma warning disable CA1031 // the boundary: whatever it is, it must not end the host process
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _ = Guard.Caught(exception, turns.MonitorId);
        }
        foreach (MonitorClient client in _clients)
            client.Close();
        _clients.Clear();
        _door.Close();
        ShortPauses.End();
    }

    void Turn()
    {
        _ = inbox.Wake.TryLower();
        if (Volatile.Read(ref _isStopping) != 0)
            return; // the call to stop may be what was lowered: there would be nothing to wait for
        TakeInbox();
        foreach (MonitorClient client in _clients)
            dispatcher.Serve(client);
        _ = _clients.RemoveAll(client => client.IsGone);
        _door.Admit(_clients); // whoever has gone has left a place
        if (_hasJobsToClose)
            _hasJobsToClose = !jobs.CloseDismissed();
        if (plans.HasAny)
            plans.GiveUpOld();
        Wait();
    }

    void TakeInbox()
    {
        while (inbox.TryTake(out JsonValue? happened, out Action? work))
        {
            work?.Invoke();
            if (happened == null)
                continue;
            foreach (MonitorClient client in _clients)
                if (client.IsNegotiated)
                    client.Send(happened);
        }
    }

    unsafe void Wait()
    {
        _polls[0] = new PollFd { Fd = inbox.Wake.Number, Events = Files.POLLIN };
        _polls[1] = new PollFd { Fd = _door.Fd, Events = Files.POLLIN };
        bool isWorkLeft = false;
        for (int i = 0; i < _clients.Count; i++)
        {
            MonitorClient client = _clients[i];
            isWorkLeft |= client.HasInput && !client.IsBusy;
            // A broken connection is always ready: one that waits for its command is not asked.
            int fd = client.Interest == 0 && client.IsHungUp ? -1 : client.Fd;
            _polls[i + 2] = new PollFd { Fd = fd, Events = client.Interest };
        }
        int timeoutMs =
            isWorkLeft ? 0
            : _hasJobsToClose ? RetryMs
            : plans.HasAny ? TickMs
            : -1;
        int doorMs = _door.WaitMs;
        timeoutMs = doorMs >= 0 && (timeoutMs < 0 || doorMs < timeoutMs) ? doorMs : timeoutMs;
        fixed (PollFd* polls = _polls) // SAFETY: the kernel writes the elements that it is told of, during the call
            if (Files.Poll(polls, (nuint)(_clients.Count + 2), timeoutMs) <= 0)
                return;
        for (int i = 0; i < _clients.Count; i++)
            OnReady(_clients[i], _polls[i + 2].Returned);
    }

    static void OnReady(MonitorClient client, short ready)
    {
        if ((ready & UnixSockets.POLLOUT) != 0)
            client.Flush();
        if ((ready & Files.POLLIN) != 0)
            client.Receive();
        else if ((ready & (UnixSockets.POLLHUP | UnixSockets.POLLERR)) != 0)
            client.HangUp();
    }
}
