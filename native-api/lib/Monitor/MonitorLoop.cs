// The monitor's thread: waits for its socket, its clients and its inbox, and carries commands out one after the other.
// It waits for the engine a turn at a time, never for a client, a device or a guest; so one client cannot hold up
// another, and none of them the engine.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Native.Engines;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor;

/// <summary>Threads: its own; Start and Stop any, one at a time.</summary>
sealed class MonitorLoop(MonitorObject monitor, MonitorListener listener)
{
    const int ClientsMax = 32;
    const int StackBytes = 1 << 20; // values nest 1024 deep
    const int TickMs = 500;
    const int RetryMs = 20;
    const int AcceptPauseMs = 100;
    const int DriveMs = 1;

    readonly List<MonitorClient> _clients = [];
    readonly PollFd[] _polls = new PollFd[ClientsMax + 2];
    Thread? _thread;
    int _isStopping;
    long _acceptAtMs;
    bool _hasJobsToClose;

    public void Start()
    {
        _thread = new Thread(Run, StackBytes) { Name = "fb-monitor", IsBackground = true };
        _thread.Start();
    }

    public void Stop()
    {
        Volatile.Write(ref _isStopping, 1);
        monitor.Inbox.Wake.Raise();
        HostLoop? host = monitor.Engine!.Loop;
        while (_thread != null && !_thread.Join(host == null ? Timeout.Infinite : DriveMs))
            host!.Drive(); // a command waits for a turn
        _thread = null;
        listener.Close();
    }

    /// <summary>Jobs were dismissed: their handles go with the next turn.</summary>
    public void CloseJobs() => _hasJobsToClose = true;

    void Run()
    {
        ThreadName.Set("fb-monitor");
        EngineObject.IsLibraryThread = true;
        try
        {
            while (Volatile.Read(ref _isStopping) == 0)
                Turn();
        }
#pragma warning disable CA1031 // the boundary: whatever it is, it must not end the host process
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _ = Guard.Caught(exception, monitor.Id);
        }
        foreach (MonitorClient client in _clients)
            client.Close();
        _clients.Clear();
        listener.Close();
    }

    void Turn()
    {
        monitor.Inbox.Wake.Lower();
        if (Volatile.Read(ref _isStopping) != 0)
            return; // the call to stop may be what was lowered: there would be nothing to wait for
        TakeInbox();
        foreach (MonitorClient client in _clients)
            Serve(client);
        _ = _clients.RemoveAll(client => client.IsGone);
        if (_hasJobsToClose)
            _hasJobsToClose = !monitor.CloseDismissedJobs();
        if (monitor.HasPlans)
            monitor.GiveUpOldPlans();
        Wait();
    }

    void TakeInbox()
    {
        while (monitor.Inbox.TryTake(out JsonValue? happened, out Action? work))
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
        bool mayAccept = Environment.TickCount64 >= _acceptAtMs;
        _polls[0] = new PollFd { Fd = monitor.Inbox.Wake.Number, Events = Files.POLLIN };
        _polls[1] = new PollFd { Fd = mayAccept ? listener.Fd : -1, Events = Files.POLLIN };
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
            : !mayAccept ? AcceptPauseMs
            : monitor.HasPlans ? TickMs
            : -1;
        fixed (PollFd* polls = _polls) // SAFETY: the kernel writes the elements that it is told of, during the call
            if (Files.Poll(polls, (nuint)(_clients.Count + 2), timeoutMs) <= 0)
                return;
        for (int i = 0; i < _clients.Count; i++)
            OnReady(_clients[i], _polls[i + 2].Returned);
        if (_polls[1].Returned != 0)
            Accept();
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

    void Accept()
    {
        while (true)
        {
            int fd = listener.Accept();
            if (fd < 0)
            {
                if (Marshal.GetLastPInvokeError() is not (Errnos.EAGAIN or Errnos.EINTR))
                    _acceptAtMs = Environment.TickCount64 + AcceptPauseMs; // no descriptor left: later
                return;
            }
            MonitorClient client = new(fd);
            if (_clients.Count == ClientsMax)
            {
                QmpError error = QmpError.Generic($"{ClientsMax} clients are connected, which is the most");
                client.Send(CommandCall.ToJson(error, null));
                client.Close();
                continue;
            }
            _clients.Add(client);
            client.Send(SessionCommands.Greeting);
        }
    }

    void Serve(MonitorClient client)
    {
        try
        {
            while (
                !client.IsGone && !client.IsBusy && !client.IsEnding && client.TryReadMessage(out JsonMessage message)
            )
                Take(client, message);
        }
        catch (OutOfMemoryException)
        {
            client.Close(); // what it asks for is too much
        }
        if (client.IsInputEnded && !client.IsBusy && !client.HasInput)
            client.IsEnding = true;
        if (client.IsEnding && !client.HasOutput)
            client.Close();
    }

    void Take(MonitorClient client, in JsonMessage message)
    {
        JsonValue? id = message.Value is { Kind: JsonKind.Object } said ? said.Find("id") : null;
        QmpError? error =
            message.Problem != null ? QmpError.Generic(message.Problem)
            : message.Value!.Kind != JsonKind.Object ? QmpError.Generic("QMP input must be a JSON object")
            : null;
        client.IsEnding |= message.IsTooLong;
        CommandAnswer answer = error != null ? error : Execute(client, message.Value!, id);
        if (answer.IsLater)
            return;
        client.IsBusy = false;
        client.Send(CommandCall.ToJson(answer, id));
    }

    CommandAnswer Execute(MonitorClient client, JsonValue said, JsonValue? id)
    {
        if (Find(said, out string name) is { } error)
            return error;
        bool isNegotiating = name == "qmp_capabilities";
        if (!client.IsNegotiated && !isNegotiating)
            return QmpError.NotFound("Expecting capabilities negotiation with 'qmp_capabilities'");
        if (client.IsNegotiated && isNegotiating)
            return QmpError.NotFound("Capabilities negotiation is already complete, command ignored");
        if (!CommandTable.Commands.TryGetValue(name, out CommandHandler? handler))
            return QmpError.NotFound($"The command {name} has not been found");
        client.IsBusy = true;
        ArgumentReader arguments = new(said.Find("arguments") ?? JsonValue.Empty);
        CommandAnswer answer = Guarded(handler, new CommandCall(monitor, client, id, arguments));
        client.IsNegotiated |= isNegotiating && answer.Error == null;
        return answer;
    }

    /// <summary>A bug in a command stops the engine, as in every call of the C interface; never the process.</summary>
    CommandAnswer Guarded(CommandHandler handler, CommandCall call)
    {
        try
        {
            return handler(call);
        }
#pragma warning disable CA1031 // the boundary: whatever it is, it must not end the host process
        catch (Exception exception)
#pragma warning restore CA1031
        {
            bool isMemory = Guard.Caught(exception, monitor.Id) == Status.NoMemory;
            return QmpError.Generic(isMemory ? "out of memory" : "an internal error: " + exception.Message);
        }
    }

    /// <summary>What a message must be. Source: QEMU 7.2 qapi/qmp-dispatch.c, qmp_dispatch_check_obj.</summary>
    static QmpError? Find(JsonValue said, out string name)
    {
        name = "";
        bool hasName = false;
        foreach ((string member, JsonValue value) in said.Members)
        {
            if (member == "execute" && value.Kind == JsonKind.String)
                (name, hasName) = (value.Text, true);
            else if (member == "execute")
                return QmpError.Generic("QMP input member 'execute' must be a string");
            else if (member == "arguments" && value.Kind != JsonKind.Object)
                return QmpError.Generic("QMP input member 'arguments' must be an object");
            else if (member is not ("arguments" or "id"))
                return QmpError.Generic($"QMP input member '{member}' is unexpected");
        }
        return hasName ? null : QmpError.Generic("QMP input lacks member 'execute'");
    }
}
