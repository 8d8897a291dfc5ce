// fb_backup_create: the host's numbers become the engine's options, each checked; then the engine's own rules. Memory
// in proportion to the disk is taken before the reactor is asked, and what is refused is given back after it.
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;
using FastBackup.Pacing;
using FastBackup.Repositories;

namespace FastBackup.Native.Calls;

static partial class BackupCalls
{
    const uint FlagsKnown =
        Fb.BackupManualFinalize
        | Fb.BackupManualDismiss
        | Fb.BackupSnapshot
        | Fb.BackupLargerTarget
        | Fb.BackupTakeGuestReads;
    const uint IdBytesMax = 255;
    const uint ErrorPolicyMax = (uint)ErrorPolicy.EnoSpc;

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
            answer = TryTranslate(disk, target, given, out options);
        if (answer.IsOk && !ReferenceEquals(disk.Engine, target.Engine))
            answer = Answer.Invalid("disk and target are of different engines");
        DeviceObject? scratch = null;
        if (answer.IsOk)
            answer = TryFindScratch(given, disk, out scratch);
        EngineObject engine = disk.Engine!;
        JobRecord? record = null;
        if (answer.IsOk)
            answer = TryOpenRecord(disk, target, given, out record);
        if (answer.IsOk && !engine.TryRetain(isChild: true))
            answer = Answer.Handle(EngineObject.Noun);
        if (!answer.IsOk)
        {
            record?.Withdraw();
            return answer.Tell();
        }
        JobObject? job = null;
        BackupMemory? memory = null;
        try
        {
            JobRequest request = new()
            {
                Disk = disk,
                Target = target,
                Scratch = scratch,
                ScratchBytesMax = given.ScratchBytesMax,
                HasView = (given.Flags & Fb.BackupSnapshot) != 0,
                Options = options!,
                Record = record,
            };
            if (BackupMemory.IsPossible(options!)) // else the engine's rules refuse it
                _ = BackupMemory.TryTake(disk.Core.CapacityBytes, options!, request.HasView, out memory);
            answer = engine.RunUnlessStopped(disk, () => request.TryMake(memory, out job));
            if (job != null)
                *result = job.Id;
            return answer.Tell();
        }
        finally
        {
            memory?.Dispose();
            if (job == null)
            {
                record?.Withdraw();
                engine.Release(isChild: true);
            }
        }
    }

    /// <summary>Of a point in a repository: its chunks are larger than the usual clusters.</summary>
    static uint SectorBytesOf(DeviceObject target) =>
        target.Device is PointTarget ? target.Device.Limits.RequestAlignBytes : 0;

    static unsafe Answer TryTranslate(
        DiskObject disk,
        DeviceObject target,
        in BackupOptionsStruct given,
        out BackupOptions? options
    )
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
        ulong completingSerial = 0;
        if (given.Bitmap != 0)
        {
            if (HandleTable.Find<BitmapObject>(given.Bitmap) is not { } bitmap)
                return Answer.Handle(BitmapObject.Noun);
            if (bitmap.DiskId != disk.Id)
                return Answer.Invalid("the bitmap is not one of the disk's");
            if (bitmap.IsPersistent && given.BitmapMode != (uint)BitmapMode.Never + 1)
                return Answer.State(PersistentBitmaps.Rule(bitmap.Dirty!.Name) + "; use it with FB_BITMAP_MODE_NEVER");
            dirty = bitmap.Dirty;
            completingSerial = bitmap.SerialCompleting(target);
        }
        options = new BackupOptions
        {
            Id = id.Length == 0 ? null : id,
            Sync = (BackupSync)given.Sync,
            Bitmap = dirty,
            CompletingSerial = completingSerial,
            BitmapMode = given.BitmapMode == 0 ? null : (BitmapMode)(given.BitmapMode - 1),
            SpeedBytesPerSecond = given.Speed,
            GuestPriority = priority,
            WarmMs = given.WarmMs switch
            {
                0 => null,
                Fb.NoWarmUp => 0,
                _ => given.WarmMs,
            },
            OnSourceError = (ErrorPolicy)given.OnSourceError,
            OnTargetError = (ErrorPolicy)given.OnTargetError,
            MayTargetBeLarger = (given.Flags & Fb.BackupLargerTarget) != 0,
            AutoFinalize = (given.Flags & Fb.BackupManualFinalize) == 0,
            AutoDismiss = (given.Flags & Fb.BackupManualDismiss) == 0,
            Filter = new FilterOptions
            {
                OnCbwError = (CbwErrorPolicy)given.OnCbwError,
                CbwTimeoutMs = given.CbwTimeoutMs switch
                {
                    0 => FilterOptions.CbwTimeoutMsDefault,
                    Fb.NoTimeout => 0,
                    uint limit => limit,
                },
                ClusterBytes =
                    given.ClusterBytes == 0
                        ? System.Math.Max(ClusterBytesOf(given), SectorBytesOf(target))
                        : given.ClusterBytes,
                TaskMax = given.TaskMax == 0 ? FilterOptions.TaskMaxDefault : given.TaskMax,
                CaptureBytesMax = given.CaptureBytesMax == 0 ? ulong.MaxValue : given.CaptureBytesMax,
                TakesGuestReads = (given.Flags & Fb.BackupTakeGuestReads) != 0,
            },
        };
        return Answer.Ok;
    }

    static uint ClusterBytesOf(in BackupOptionsStruct given) =>
        given.ClusterBytes == 0 ? FilterOptions.ClusterBytesDefault : given.ClusterBytes;

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
        if ((given.Flags & ~FlagsKnown) != 0 || given.Reserved != 0)
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
}
