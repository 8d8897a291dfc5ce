// How clients come in: ClientsMax at once, and those who come then wait their turn. A short visit is over in
// milliseconds, so a place is soon free; who has waited PatienceMs is told that there is none.
//
//   kernel's queue -> _waiting (accepted, not greeted) -> clients, or told and closed
//
// When somebody waits, a client that keeps a place and cannot use it gives it up after IdleMs: one that has not said
// qmp_capabilities, and one that has ended its commands and does not read its last answers.
// Cost: a descriptor for each who waits, at most WaitingMax.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Native.Monitor.Commands;

namespace FastBackup.Native.Monitor.Server;

/// <summary>Threads: the monitor's.</summary>
sealed class ClientDoor(MonitorListener listener)
{
    public const int ClientsMax = 32;
    const int WaitingMax = 64;
    const int PatienceMs = 5000;
    const int IdleMs = 5000;
    const int RetryMs = 100;

    readonly Queue<(int Fd, long SinceMs)> _waiting = new();
    long _retryAtMs; // no descriptor was left

    /// <summary>What to watch for newcomers; -1 while none can be taken.</summary>
    public int Fd => _waiting.Count < WaitingMax && Environment.TickCount64 >= _retryAtMs ? listener.Fd : -1;

    /// <summary>Longest time that may pass before the next Admit; -1 = any.</summary>
    public int WaitMs
    {
        get
        {
            long untilMs = _waiting.TryPeek(out (int Fd, long SinceMs) first)
                ? first.SinceMs + PatienceMs
                : long.MaxValue;
            long nowMs = Environment.TickCount64;
            if (_retryAtMs > nowMs)
                untilMs = Math.Min(untilMs, _retryAtMs);
            return untilMs == long.MaxValue ? -1 : (int)Math.Max(0, untilMs - nowMs);
        }
    }

    /// <summary>Takes in who has come, as far as there are places.</summary>
    /// <param name="clients">Those that are connected, none of them gone.</param>
    public void Admit(List<MonitorClient> clients)
    {
        Accept();
        long nowMs = Environment.TickCount64;
        while (_waiting.TryPeek(out (int Fd, long SinceMs) first))
        {
            if (clients.Count < ClientsMax || TryMakeRoom(clients, nowMs))
                Greet(clients, first.Fd);
            else if (nowMs - first.SinceMs >= PatienceMs)
                TurnAway(first.Fd);
            else
                return;
            _ = _waiting.Dequeue();
        }
    }

    /// <summary>Nobody comes in any more.</summary>
    public void Close()
    {
        foreach ((int fd, _) in _waiting)
            _ = Files.Close(fd);
        _waiting.Clear();
        listener.Close();
    }

    void Accept()
    {
        while (_waiting.Count < WaitingMax)
        {
            int fd = listener.Accept();
            if (fd >= 0)
            {
                _waiting.Enqueue((fd, Environment.TickCount64));
                continue;
            }
            if (Marshal.GetLastPInvokeError() is not (Errnos.EAGAIN or Errnos.EINTR))
                _retryAtMs = Environment.TickCount64 + RetryMs; // no descriptor left: later
            return;
        }
    }

    static bool TryMakeRoom(List<MonitorClient> clients, long nowMs)
    {
        MonitorClient? idle = clients.Find(client =>
            (!client.IsNegotiated || client.IsEnding) && nowMs - client.ActiveMs >= IdleMs
        );
        if (idle == null)
            return false;
        idle.Close();
        return clients.Remove(idle);
    }

    static void Greet(List<MonitorClient> clients, int fd)
    {
        MonitorClient client = new(fd);
        client.Send(SessionCommands.Greeting);
        if (!client.IsGone)
            clients.Add(client);
    }

    static void TurnAway(int fd)
    {
        MonitorClient client = new(fd);
        CommandAnswer refusal = QmpError.Generic($"{ClientsMax} clients are connected, which is the most");
        client.Send(refusal.ToJson(id: null));
        client.Close();
    }
}
