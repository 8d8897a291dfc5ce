// fb_queue_*.
using System;
using FastBackup.Base;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static class QueueCalls
{
    const uint DepthMax = 65536;

    public static unsafe int Open(ulong engineId, uint depth, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<EngineObject>(engineId) is not { } engine)
            return Answer.Handle(EngineObject.Noun).Tell();
        if (depth is 0 or > DepthMax)
            return Answer.Invalid($"depth {depth} is not between 1 and {DepthMax}").Tell();
        if (!engine.TryRetain(isChild: true))
            return Answer.Handle(EngineObject.Noun).Tell();
        QueueObject? queue = null;
        try
        {
            Answer answer = TryMake(engine, depth, out queue);
            if (queue != null)
                *result = HandleTable.Open(queue);
            return answer.Tell();
        }
        finally
        {
            if (queue == null)
                engine.Release(isChild: true);
        }
    }

    static Answer TryMake(EngineObject engine, uint depth, out QueueObject? queue)
    {
        queue = null;
        Fault fault = EventFd.TryCreate(out EventFd? eventFd);
        if (fault.IsFault)
            return Answer.Of(fault);
        int epollFd = -1;
        if (engine.Loop != null)
            fault = engine.Loop.TryWatch(eventFd!.Number, out epollFd);
        if (fault.IsFault)
            return Answer.Of(fault);
        QueueObject made = new(engine, depth, eventFd!, epollFd < 0 ? eventFd! : new EventFd(epollFd));
        Answer answer = engine.RunUnlessStopped(
            engine,
            () =>
            {
                engine.Reactor.Join(made);
                return Answer.Ok;
            }
        );
        queue = answer.IsOk ? made : null;
        return answer;
    }

    public static int Close(ulong id)
    {
        if (id == 0)
            return Status.Ok;
        if (HandleTable.Find<QueueObject>(id) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        if (!queue.TryBeginHarvest())
            return Answer.State("another thread polls this queue, or this is inside one of its callbacks").Tell();
        EngineObject engine = queue.Engine!;
        Answer answer = engine.Run(
            queue,
            () =>
            {
                if (queue.PendingCount > 0)
                    return Answer.State("something submitted to this queue is not harvested");
                if (queue.HasCallers)
                    return Answer.State("a host device has its calls made by this queue");
                _ = queue.TryClose();
                HandleTable.Close(queue);
                engine.Reactor.Leave(queue);
                return Answer.Ok;
            }
        );
        if (!answer.IsOk)
        {
            queue.EndHarvest();
            return answer.Tell();
        }
        queue.ReleaseCallbacks(); // it stays marked as harvested: nobody begins again
        engine.Release(isChild: true);
        Retirement.Collect();
        return Status.Ok;
    }

    public static unsafe int EventFdOf(ulong id, int* fd)
    {
        if (HandleTable.Find<QueueObject>(id) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        if (fd == null)
            return Answer.Invalid("fd is NULL").Tell();
        *fd = queue.Watch();
        return Status.Ok;
    }

    public static unsafe int Poll(
        ulong id,
        CompletionStruct* completions,
        uint completionSize,
        uint capacity,
        uint countMin,
        long timeoutNs
    )
    {
        if (HandleTable.Find<QueueObject>(id) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        bool isWrong = (completions == null && capacity > 0) || countMin > capacity || capacity > int.MaxValue;
        if (isWrong || completionSize < CompletionStruct.SizeFirst)
            return Answer.Invalid("NULL, min_count above capacity, or completion_size too small").Tell();
        if (!queue.TryBeginHarvest())
            return Answer.State("another thread polls this queue, or this is inside one of its callbacks").Tell();
        try
        {
            return queue.Fill((byte*)completions, completionSize, (int)capacity, (int)countMin, timeoutNs);
        }
        finally
        {
            queue.EndHarvest();
        }
    }

    public static int Dispatch(ulong id, uint capacity, uint countMin, long timeoutNs)
    {
        if (HandleTable.Find<QueueObject>(id) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        if (countMin > capacity || capacity > int.MaxValue)
            return Answer.Invalid("min_count is above capacity").Tell();
        if (!queue.TryBeginHarvest())
            return Answer.State("another thread polls this queue, or this is inside one of its callbacks").Tell();
        try
        {
            if (!queue.HasCallback)
                return Answer.State("the queue has no callback").Tell();
            return queue.Dispatch((int)capacity, (int)countMin, timeoutNs);
        }
        finally
        {
            queue.EndHarvest();
        }
    }

    public static int Wake(ulong id)
    {
        if (HandleTable.Find<QueueObject>(id) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        queue.Wake();
        return Status.Ok;
    }

    public static unsafe int Pending(ulong id, uint* count)
    {
        if (HandleTable.Find<QueueObject>(id) is not { } queue)
            return Answer.Handle(QueueObject.Noun).Tell();
        if (count == null)
            return Answer.Invalid("count is NULL").Tell();
        *count = (uint)Math.Max(0, queue.PendingCount);
        return Status.Ok;
    }

    public static unsafe int SetCallback(ulong id, CallbackStruct* host)
    {
        CallbackStruct given = default;
        Answer answer = host == null ? Answer.Ok : StructSize.TryRead(host, CallbackStruct.SizeFirst, out given);
        if (answer.IsOk && given.Flags != 0)
            answer = Answer.Unsupported($"callback flags {given.Flags:x} are not known");
        if (answer.IsOk && host != null && given.Call == null)
            answer = Answer.Invalid("call is NULL");
        if (answer.IsOk)
            answer = Exchange(id, queue => queue.SetCallback(given));
        if (!answer.IsOk && given.Release != null)
            given.Release(given.Context); // SAFETY: the promise of the header, once
        return answer.Tell();
    }

    public static unsafe int SetLog(ulong id, LogSinkStruct* host)
    {
        LogSinkStruct given = default;
        Answer answer = host == null ? Answer.Ok : StructSize.TryRead(host, LogSinkStruct.SizeFirst, out given);
        if (answer.IsOk && (given.Flags | given.Reserved) != 0)
            answer = Answer.Unsupported("a flag of the log sink is not known");
        if (answer.IsOk && host != null && (given.Write == null || given.LevelMax > Fb.LogNotice))
            answer = Answer.Invalid("write is NULL, or level_max is not a level");
        if (given.LevelMax == 0)
            given.LevelMax = Fb.LogNotice;
        if (answer.IsOk)
            answer = Exchange(id, queue => queue.SetLog(given));
        if (!answer.IsOk && given.Release != null)
            given.Release(given.Context); // SAFETY: the promise of the header, once
        return answer.Tell();
    }

    public static unsafe int SetEvents(ulong id, EventSinkStruct* host)
    {
        EventSinkStruct given = default;
        Answer answer = host == null ? Answer.Ok : StructSize.TryRead(host, EventSinkStruct.SizeFirst, out given);
        if (answer.IsOk && given.Flags != 0)
            answer = Answer.Unsupported($"event sink flags {given.Flags:x} are not known");
        if (answer.IsOk && host != null && given.Tell == null)
            answer = Answer.Invalid("tell is NULL");
        if (answer.IsOk)
            answer = Exchange(id, queue => queue.SetEvents(given));
        if (!answer.IsOk && given.Release != null)
            given.Release(given.Context); // SAFETY: the promise of the header, once
        return answer.Tell();
    }

    static Answer Exchange(ulong id, Action<QueueObject> exchange)
    {
        if (HandleTable.Find<QueueObject>(id) is not { } queue)
            return Answer.Handle(QueueObject.Noun);
        if (!queue.TryBeginHarvest())
            return Answer.State("another thread polls this queue, or this is inside one of its callbacks");
        exchange(queue);
        queue.EndHarvest();
        return Answer.Ok;
    }
}
