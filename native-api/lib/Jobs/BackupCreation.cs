// fb_backup_create: the host's numbers become the engine's options, each checked; then the engine's own rules.
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Devices;
using FastBackup.Native.Disks;
using FastBackup.Native.Engines;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Jobs;

static class BackupCreation
{
    const uint FlagManualFinalize = 1;
    const uint FlagManualDismiss = 2;
    const uint FlagSnapshot = 4;
    const uint FlagLargerTarget = 8;
    const uint FlagTakeGuestReads = 16;
    const uint FlagsKnown =
        FlagManualFinalize | FlagManualDismiss | FlagSnapshot | FlagLargerTarget | FlagTakeGuestReads;
    const uint ClusterBytesDefault = (uint)(64 * Units.KiB);
    const uint IdBytesMax = 255;
    const uint ErrorPolicyMax = (uint)ErrorPolicy.EnoSpc;
    const uint TimeoutDefaultMs = 30_000;

    public static unsafe int Create(ulong diskId, ulong targetId, BackupOptionsStruct* host, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        if (HandleTable.Find<DiskObject>(diskId) is not { } disk)
            return Answer.Handle(DiskObject.Noun).Tell();
        if (HandleTable.Find<DeviceObject>(targetId) is not { } target)
            return Answer.Handle(DeviceObject.Noun).Tell();
        BackupOptionsStruct given = default;
        Answer answer = host == null ? Answer.Ok : StructSize.TryRead(host, BackupOptionsStruct.SizeFirst, out given);
        BackupOptions? options = null;
        if (answer.IsOk)
            answer = TryTranslate(disk, given, out options);
        if (answer.IsOk && !ReferenceEquals(disk.Engine, target.Engine))
            answer = Answer.Invalid("disk and target are of different engines");
        DeviceObject? scratch = null;
        if (answer.IsOk)
            answer = TryFindScratch(given, disk, out scratch);
        EngineObject engine = disk.Engine!;
        if (answer.IsOk && !engine.TryRetain(isChild: true))
            answer = Answer.Handle(EngineObject.Noun);
        if (!answer.IsOk)
            return answer.Tell();
        JobObject? job = null;
        try
        {
            bool hasView = (given.Flags & FlagSnapshot) != 0;
            answer = engine.RunUnlessStopped(
                disk,
                () => TryMake(disk, target, scratch, given.ScratchBytesMax, hasView, options!, false, out job)
            );
            if (job != null)
                *result = job.Id;
            return answer.Tell();
        }
        finally
        {
            if (job == null)
                engine.Release(isChild: true);
        }
    }

    static unsafe Answer TryTranslate(DiskObject disk, in BackupOptionsStruct given, out BackupOptions? options)
    {
        options = null;
        Answer answer = CheckNumbers(given);
        string id = "";
        if (answer.IsOk)
            answer = Utf8Name.TryRead(given.Id, given.IdLength, 0, IdBytesMax, out id);
        if (!answer.IsOk)
            return answer;
        _ = HostGuestPriority.TryRead(given.GuestPriority, out GuestPriority priority); // checked with the others
        DirtyBitmap? dirty = null;
        if (given.Bitmap != 0)
        {
            if (HandleTable.Find<BitmapObject>(given.Bitmap) is not { } bitmap)
                return Answer.Handle(BitmapObject.Noun);
            if (!ReferenceEquals(bitmap.Disk, disk))
                return Answer.Invalid("the bitmap is not one of the disk's");
            dirty = bitmap.Dirty;
        }
        options = new BackupOptions
        {
            Id = id.Length == 0 ? null : id,
            Sync = (BackupSync)given.Sync,
            Bitmap = dirty,
            BitmapMode = given.BitmapMode == 0 ? null : (BitmapMode)(given.BitmapMode - 1),
            SpeedBytesPerSecond = given.Speed,
            GuestPriority = priority,
            OnSourceError = (ErrorPolicy)given.OnSourceError,
            OnTargetError = (ErrorPolicy)given.OnTargetError,
            MayTargetBeLarger = (given.Flags & FlagLargerTarget) != 0,
            AutoFinalize = (given.Flags & FlagManualFinalize) == 0,
            AutoDismiss = (given.Flags & FlagManualDismiss) == 0,
            Filter = new FilterOptions
            {
                OnCbwError = (CbwErrorPolicy)given.OnCbwError,
                CbwTimeoutMs = given.CbwTimeoutMs switch
                {
                    0 => TimeoutDefaultMs,
                    uint.MaxValue => 0,
                    uint limit => limit,
                },
                ClusterBytes = ClusterBytesOf(given),
                TaskMax = given.TaskMax == 0 ? 64 : given.TaskMax,
                CaptureBytesMax = given.CaptureBytesMax == 0 ? ulong.MaxValue : given.CaptureBytesMax,
                TakesGuestReads = (given.Flags & FlagTakeGuestReads) != 0,
            },
        };
        return Answer.Ok;
    }

    static uint ClusterBytesOf(in BackupOptionsStruct given) =>
        given.ClusterBytes == 0 ? ClusterBytesDefault : given.ClusterBytes;

    static Answer TryFindScratch(in BackupOptionsStruct given, DiskObject disk, out DeviceObject? scratch)
    {
        scratch = null;
        if (given.Scratch == 0)
            return given.ScratchBytesMax == 0
                ? Answer.Ok
                : Answer.Invalid("scratch_bytes_max is given without a scratch device");
        scratch = HandleTable.Find<DeviceObject>(given.Scratch);
        if (scratch == null)
            return Answer.Handle("scratch");
        return ReferenceEquals(scratch.Engine, disk.Engine)
            ? Answer.Ok
            : Answer.Invalid("disk and scratch are of different engines");
    }

    static Answer CheckNumbers(in BackupOptionsStruct given)
    {
        if ((given.Flags & ~FlagsKnown) != 0 || (given.Reserved | given.Reserved2) != 0)
            return Answer.Unsupported($"backup flags {given.Flags:x} are not all known, or reserved is not 0");
        if (given.Sync > (uint)BackupSync.None)
            return Answer.Invalid($"sync {given.Sync} is none of FB_SYNC_*");
        if (given.BitmapMode > (uint)BitmapMode.Always + 1)
            return Answer.Invalid($"bitmap_mode {given.BitmapMode} is none of FB_BITMAP_MODE_*");
        if (given.OnSourceError > ErrorPolicyMax || given.OnTargetError > ErrorPolicyMax)
            return Answer.Invalid($"an error policy is none of FB_ON_ERROR_*");
        if (!HostGuestPriority.TryRead(given.GuestPriority, out _))
            return Answer.Invalid($"guest_priority {given.GuestPriority} is none of FB_GUEST_PRIORITY_*");
        if (given.CaptureBytesMax != 0 && given.CaptureBytesMax < ClusterBytesOf(given))
            return Answer.Invalid($"capture_bytes_max {given.CaptureBytesMax} is below one cluster");
        return given.OnCbwError > (uint)CbwErrorPolicy.BreakGuestWrite
            ? Answer.Invalid($"on_cbw_error {given.OnCbwError} is none of FB_ON_CBW_ERROR_*")
            : Answer.Ok;
    }

    /// <summary>For a monitor: its words were translated by itself. On the reactor's thread.</summary>
    public static Answer TryMakeForMonitor(
        DiskObject disk,
        DeviceObject target,
        DeviceObject? scratch,
        ulong scratchBytesMax,
        bool hasView,
        BackupOptions options,
        out JobObject? job
    )
    {
        job = null;
        EngineObject engine = disk.Engine!;
        if (!engine.TryRetain(isChild: true))
            return Answer.Handle(EngineObject.Noun);
        Answer answer = TryMake(disk, target, scratch, scratchBytesMax, hasView, options, isOfMonitor: true, out job);
        if (job == null)
            engine.Release(isChild: true);
        return answer;
    }

    /// <summary>On the reactor's thread.</summary>
    static Answer TryMake(
        DiskObject disk,
        DeviceObject target,
        DeviceObject? scratch,
        ulong scratchBytesMax,
        bool hasView,
        BackupOptions options,
        bool isOfMonitor,
        out JobObject? job
    )
    {
        job = null;
        if (target.IsClosed || scratch is { IsClosed: true })
            return Answer.Handle(DeviceObject.Noun);
        if (target.HasDisk && !ReferenceEquals(target, disk.Device))
            return Answer.State("the target has a disk: guests could write to it");
        if (target.HasJob)
            return Answer.State("the target is used by another job already");
        ScratchSpace? space = null;
        Answer answer =
            scratch == null ? Answer.Ok : JobScratch.TryMake(disk, scratch, scratchBytesMax, options.Filter, out space);
        if (space != null)
            options = options with { Filter = options.Filter with { Scratch = space } };
        if (answer.IsOk)
            answer = TryMake(disk, target, hasView, options, isOfMonitor, out job);
        if (job == null)
        {
            space?.Dispose();
            return answer;
        }
        if (scratch != null)
            job.TakeScratch(scratch, space!);
        return Answer.Ok;
    }

    static Answer TryMake(
        DiskObject disk,
        DeviceObject target,
        bool hasView,
        BackupOptions options,
        bool isOfMonitor,
        out JobObject? job
    )
    {
        job = null;
        EngineObject engine = disk.Engine!;
        OpenRefusal refusal = BackupJob.TryCreate(
            engine.Reactor,
            disk.Core,
            target.Device,
            engine.Core.Pool,
            options,
            hasView,
            out BackupJob? core
        );
        if (!refusal.IsNone)
            return Answer.Of(refusal);
        refusal = engine.Jobs.TryAdd(core!);
        if (!refusal.IsNone)
        {
            core!.Dispose();
            return Answer.Of(refusal);
        }
        job = new JobObject(engine, disk, target, core!) { IsReleasedAtEnd = isOfMonitor };
        core!.Listener = job;
        disk.JobCount++;
        target.HasJob = true;
        HandleTable.Open(job);
        foreach (IJobObserver observer in engine.Observers)
            observer.OnJobMade(job);
        return Answer.Ok;
    }
}
