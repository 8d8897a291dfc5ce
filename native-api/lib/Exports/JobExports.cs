// The exports of the header: jobs, transactions and snapshots. Each catches everything, in one pattern that a test
// checks in the IL.
// SAFETY: pointers are the host's; each callee says what it takes them for.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastBackup.Native.Errors;
using FastBackup.Native.Jobs;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Exports;

static class JobExports
{
    [UnmanagedCallersOnly(EntryPoint = "fb_backup_create", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BackupCreate(ulong disk, ulong target, BackupOptionsStruct* options, ulong* result)
    {
        try
        {
            return BackupCreation.Create(disk, target, options, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_start", CallConvs = [typeof(CallConvCdecl)])]
    public static int JobStart(ulong job, ulong queue, ulong userToken)
    {
        try
        {
            return JobCalls.Start(job, queue, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_transaction_start", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int TransactionStart(ulong* jobs, ulong* userToken, uint count, uint flags, ulong queue)
    {
        try
        {
            return JobCalls.StartAll(jobs, userToken, count, flags, queue);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, 0);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_pause", CallConvs = [typeof(CallConvCdecl)])]
    public static int JobPause(ulong job)
    {
        try
        {
            return JobCalls.Pause(job);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_resume", CallConvs = [typeof(CallConvCdecl)])]
    public static int JobResume(ulong job)
    {
        try
        {
            return JobCalls.Resume(job);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_cancel", CallConvs = [typeof(CallConvCdecl)])]
    public static int JobCancel(ulong job)
    {
        try
        {
            return JobCalls.Cancel(job);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_set_speed", CallConvs = [typeof(CallConvCdecl)])]
    public static int JobSetSpeed(ulong job, ulong bytesPerSecond)
    {
        try
        {
            return JobCalls.SetSpeed(job, bytesPerSecond);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_set_guest_priority", CallConvs = [typeof(CallConvCdecl)])]
    public static int JobSetGuestPriority(ulong job, uint priority)
    {
        try
        {
            return JobCalls.SetGuestPriority(job, priority);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_finalize", CallConvs = [typeof(CallConvCdecl)])]
    public static int JobFinalize(ulong job)
    {
        try
        {
            return JobCalls.Finalize(job);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_dismiss", CallConvs = [typeof(CallConvCdecl)])]
    public static int JobDismiss(ulong job)
    {
        try
        {
            return JobCalls.Dismiss(job);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_query", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int JobQuery(ulong job, JobStateStruct* result)
    {
        try
        {
            return JobCalls.Query(job, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_latency", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int JobLatency(ulong job, LatencyStruct* result)
    {
        try
        {
            return JobCalls.Latency(job, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_statistics", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int JobStatistics(ulong job, StatisticsStruct* result)
    {
        try
        {
            return JobPicture.Statistics(job, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_find", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int JobFind(ulong engine, byte* id, uint idLength, ulong* result)
    {
        try
        {
            return JobCalls.Find(engine, id, idLength, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, engine);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_job_close", CallConvs = [typeof(CallConvCdecl)])]
    public static int JobClose(ulong job)
    {
        try
        {
            return JobCalls.Close(job);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_snapshot_read", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int SnapshotRead(
        ulong job,
        ulong queue,
        void* buffer,
        ulong offset,
        ulong length,
        ulong userToken
    )
    {
        try
        {
            return JobCalls.SnapshotRead(job, queue, buffer, offset, length, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_snapshot_discard", CallConvs = [typeof(CallConvCdecl)])]
    public static int SnapshotDiscard(ulong job, ulong queue, ulong offset, ulong length, ulong userToken)
    {
        try
        {
            return JobCalls.SnapshotDiscard(job, queue, offset, length, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, job);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_snapshot", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DiskSnapshot(ulong disk, ulong* result)
    {
        try
        {
            return JobCalls.FindSnapshot(disk, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }
}
