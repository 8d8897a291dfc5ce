// The exports of the header: queues. Each catches everything, in one pattern that a test checks in the IL.
// SAFETY: pointers are the host's; each callee says what it takes them for.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastBackup.Native.Errors;
using FastBackup.Native.Queues;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Exports;

static class QueueExports
{
    [UnmanagedCallersOnly(EntryPoint = "fb_queue_open", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int QueueOpen(ulong engine, uint depth, ulong* result)
    {
        try
        {
            return QueueCalls.Open(engine, depth, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, engine);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_queue_close", CallConvs = [typeof(CallConvCdecl)])]
    public static int QueueClose(ulong queue)
    {
        try
        {
            return QueueCalls.Close(queue);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, queue);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_queue_event_fd", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int QueueEventFd(ulong queue, int* fd)
    {
        try
        {
            return QueueCalls.EventFd(queue, fd);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, queue);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_queue_poll", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int QueuePoll(
        ulong queue,
        byte* completions,
        uint completionSize,
        uint capacity,
        uint countMin,
        long timeoutNs
    )
    {
        try
        {
            return QueueCalls.Poll(queue, completions, completionSize, capacity, countMin, timeoutNs);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, queue);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_queue_wake", CallConvs = [typeof(CallConvCdecl)])]
    public static int QueueWake(ulong queue)
    {
        try
        {
            return QueueCalls.Wake(queue);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, queue);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_queue_pending", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int QueuePending(ulong queue, uint* count)
    {
        try
        {
            return QueueCalls.PendingCount(queue, count);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, queue);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_queue_set_callback", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int QueueSetCallback(ulong queue, CallbackStruct* callback)
    {
        try
        {
            return QueueCalls.SetCallback(queue, callback);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, queue);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_queue_dispatch", CallConvs = [typeof(CallConvCdecl)])]
    public static int QueueDispatch(ulong queue, uint capacity, uint countMin, long timeoutNs)
    {
        try
        {
            return QueueCalls.Dispatch(queue, capacity, countMin, timeoutNs);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, queue);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_queue_set_log", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int QueueSetLog(ulong queue, LogSinkStruct* sink)
    {
        try
        {
            return QueueCalls.SetLog(queue, sink);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, queue);
        }
    }
}
