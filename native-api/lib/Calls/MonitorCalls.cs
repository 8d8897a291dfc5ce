// fb_monitor_open, fb_monitor_close.
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Monitor.Nodes;
using FastBackup.Native.Monitor.Server;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static class MonitorCalls
{
    const uint PathBytesMax = 107;
    const long CloseLimitMs = 2000;
    const long ClosedLimitMs = 1000; // for files that close themselves

    public static unsafe int Open(ulong engineId, MonitorOptionsStruct* host, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<EngineObject>(engineId) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        Answer answer = StructSize.TryRead(host, MonitorOptionsStruct.SizeFirst, out MonitorOptionsStruct given);
        string path = "";
        if (answer.IsOk && (given.Flags | given.Reserved) != 0)
            answer = Answer.Unsupported($"monitor flags {given.Flags:x} are not known, or reserved is not 0");
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Path, given.PathLength, 1, PathBytesMax, out path);
        if (!answer.IsOk)
            return answer.Tell();
        answer = Open(engine, path, out MonitorObject? monitor);
        *result = monitor?.Id ?? 0;
        return answer.Tell();
    }

    /// <param name="engine">Gets the monitor.</param>
    /// <param name="path">Of its socket, at most 107 bytes.</param>
    /// <param name="monitor">With its handle, or null.</param>
    /// <returns>Ok, or why not.</returns>
    public static Answer Open(EngineObject engine, string path, out MonitorObject? monitor)
    {
        monitor = null;
        if (!engine.TryRetain(isChild: true))
            return Answer.Handle(EngineObject.Noun);
        try
        {
            return TryMake(engine, path, out monitor);
        }
        finally
        {
            if (monitor == null)
                engine.Release(isChild: true);
        }
    }

    static Answer TryMake(EngineObject engine, string path, out MonitorObject? monitor)
    {
        monitor = null;
        if (engine.IsStopped)
            return EngineObject.StoppedAnswer();
        Fault fault = EventFd.TryCreate(out EventFd? wake);
        if (fault.IsFault)
            return Answer.Of(fault);
        Answer answer = MonitorListener.TryOpen(path, out MonitorListener? listener);
        if (!answer.IsOk)
            return answer;
        MonitorObject made = new(engine, listener!, wake!);
        answer = engine.RunUnlessStopped(
            engine,
            () =>
            {
                engine.Reactor.Join(made);
                engine.Observers = [.. engine.Observers, made];
                return Answer.Ok;
            }
        );
        if (!answer.IsOk)
        {
            listener!.Close();
            return answer;
        }
        _ = HandleTable.Open(made);
        made.Start();
        monitor = made;
        return answer;
    }

    public static int Close(ulong id)
    {
        if (id == 0)
            return Status.Ok;
        if (HandleTable.Find<MonitorObject>(id) is not { } monitor)
            return Answer.Handle(MonitorObject.Noun).Tell();
        return Close(monitor).Tell();
    }

    /// <summary>Gives its jobs up and closes its nodes.</summary>
    /// <returns>Ok, or State: something of it is in use.</returns>
    public static Answer Close(MonitorObject monitor)
    {
        EngineObject engine = monitor.Engine!;
        if (engine.Reactor.IsOnThread)
            return Answer.State("a monitor cannot be closed from a callback on the engine's thread");
        if (!monitor.TryBeginClose())
            return Answer.State("another thread closes this monitor");
        Answer answer = TryClose(engine, monitor);
        monitor.EndClose();
        if (!answer.IsOk)
            return answer;
        engine.Release(isChild: true);
        Retirement.Collect(); // its event's descriptor
        return answer;
    }

    static Answer TryClose(EngineObject engine, MonitorObject monitor)
    {
        monitor.Stop();
        Answer answer = engine.Run(
            monitor,
            () =>
            {
                monitor.Plans.GiveUpAll("the monitor was closed");
                monitor.Exports.Stop();
                foreach (JobObject job in monitor.Jobs.All)
                    if (!job.HasEnded && !engine.IsStopped)
                        _ = job.Core.Cancel();
                return Answer.Ok;
            }
        );
        long start = Stopwatch.GetTimestamp();
        while (answer.IsOk && !AreJobsClosed(engine, monitor, out string left))
        {
            if (Stopwatch.GetElapsedTime(start).TotalMilliseconds > CloseLimitMs)
                return Answer.State(left);
            engine.Loop?.Drive();
            Thread.Sleep(1);
        }
        if (!answer.IsOk)
            return answer;
        return CloseNodes(engine, monitor);
    }

    static bool AreJobsClosed(EngineObject engine, MonitorObject monitor, out string left)
    {
        string waiting = "";
        _ = engine.Run(
            monitor,
            () =>
            {
                if (monitor.Exports.FirstLeft is { } export)
                    waiting = $"requests of clients of export '{export}' have not ended";
                foreach (JobObject job in monitor.Jobs.All.ToArray())
                    if (job.IsClosed || (job.HasEnded && (job.ReadCount == 0 || engine.IsStopped)))
                        monitor.Jobs.Forget(job);
                    else
                        waiting = job.HasEnded
                            ? $"snapshot reads of job '{job.Core.Id}' have not ended"
                            : $"guest writes under way hold up the end of job '{job.Core.Id}'";
                return Answer.Ok;
            }
        );
        left = waiting;
        return waiting.Length == 0;
    }

    static Answer CloseNodes(EngineObject engine, MonitorObject monitor)
    {
        List<FileDevice> closing = [];
        bool isAgain = true;
        while (isAgain && monitor.Nodes.Nodes.Count > 0)
        {
            isAgain = false;
            foreach (
                MonitorNode node in monitor.Nodes.Nodes.Where(node => !node.IsInline && node.ParentCount == 0).ToArray()
            )
                isAgain |= NodeRemoval.TryClose(monitor.Turns, monitor.Nodes, node, closing) == null;
        }
        long start = Stopwatch.GetTimestamp();
        foreach (FileDevice file in closing)
            if (Stopwatch.GetElapsedTime(start).TotalMilliseconds < ClosedLimitMs)
                file.WaitClosed();
        if (monitor.Nodes.Nodes.Count > 0)
            return Answer.State($"node '{monitor.Nodes.Nodes.First().Name}' is in use by a job that the host started");
        return engine.Run(
            monitor,
            () =>
            {
                engine.Reactor.Leave(monitor);
                engine.Observers = [.. engine.Observers.Where(one => !ReferenceEquals(one, monitor))];
                _ = monitor.TryClose();
                HandleTable.Close(monitor);
                return Answer.Ok;
            }
        );
    }
}
