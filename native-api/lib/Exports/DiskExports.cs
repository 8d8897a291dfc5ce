// The exports of the header: disks and their bitmaps. Each catches everything, in one pattern that a test checks in
// the IL.
// SAFETY: pointers are the host's; each callee says what it takes them for.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastBackup.Native.Disks;
using FastBackup.Native.Errors;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Exports;

static class DiskExports
{
    [UnmanagedCallersOnly(EntryPoint = "fb_disk_open", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DiskOpen(ulong engine, ulong device, DiskOptionsStruct* options, ulong* result)
    {
        try
        {
            return DiskCalls.Open(engine, device, options, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, engine);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_close", CallConvs = [typeof(CallConvCdecl)])]
    public static int DiskClose(ulong disk)
    {
        try
        {
            return DiskCalls.Close(disk);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_query", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DiskQuery(ulong disk, DiskStateStruct* result)
    {
        try
        {
            return DiskCalls.Query(disk, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_write_begin", CallConvs = [typeof(CallConvCdecl)])]
    public static int DiskWriteBegin(ulong disk, ulong queue, ulong offset, ulong length, ulong userToken)
    {
        try
        {
            return DiskCalls.WriteBegin(disk, queue, offset, length, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_write_end", CallConvs = [typeof(CallConvCdecl)])]
    public static int DiskWriteEnd(ulong disk)
    {
        try
        {
            return DiskCalls.WriteEnd(disk);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_read_epoch", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DiskReadEpoch(ulong disk, ulong* epoch)
    {
        try
        {
            return HookReadCalls.Epoch(disk, epoch);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_offer_read", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DiskOfferRead(
        ulong disk,
        ulong queue,
        ulong epoch,
        void* buffer,
        ulong offset,
        ulong length,
        ulong userToken
    )
    {
        try
        {
            return HookReadCalls.Offer(disk, queue, epoch, buffer, offset, length, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_read", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DiskRead(
        ulong disk,
        ulong queue,
        void* buffer,
        ulong offset,
        ulong length,
        ulong userToken
    )
    {
        try
        {
            return DiskCalls.Read(disk, queue, buffer, offset, length, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_write", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DiskWrite(
        ulong disk,
        ulong queue,
        void* buffer,
        ulong offset,
        ulong length,
        uint flags,
        ulong userToken
    )
    {
        try
        {
            return DiskCalls.Write(disk, queue, buffer, offset, length, flags, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_write_zeroes", CallConvs = [typeof(CallConvCdecl)])]
    public static int DiskWriteZeroes(ulong disk, ulong queue, ulong offset, ulong length, uint flags, ulong userToken)
    {
        try
        {
            return DiskCalls.WriteZeroes(disk, queue, offset, length, flags, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_discard", CallConvs = [typeof(CallConvCdecl)])]
    public static int DiskDiscard(ulong disk, ulong queue, ulong offset, ulong length, ulong userToken)
    {
        try
        {
            return DiskCalls.Discard(disk, queue, offset, length, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_flush", CallConvs = [typeof(CallConvCdecl)])]
    public static int DiskFlush(ulong disk, ulong queue, ulong userToken)
    {
        try
        {
            return DiskCalls.Flush(disk, queue, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_bitmap_add", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DiskBitmapAdd(
        ulong disk,
        byte* name,
        uint nameLength,
        ulong granularity,
        uint flags,
        ulong queue,
        ulong userToken,
        ulong* result
    )
    {
        try
        {
            return DiskBitmapCalls.Add(disk, name, nameLength, granularity, flags, queue, userToken, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_bitmap_remove", CallConvs = [typeof(CallConvCdecl)])]
    public static int DiskBitmapRemove(ulong disk, ulong bitmap, ulong queue, ulong userToken)
    {
        try
        {
            return DiskBitmapCalls.Remove(disk, bitmap, queue, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_bitmap_clear", CallConvs = [typeof(CallConvCdecl)])]
    public static int DiskBitmapClear(ulong disk, ulong bitmap, ulong queue, ulong userToken)
    {
        try
        {
            return DiskBitmapCalls.Clear(disk, bitmap, queue, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_bitmap_enable", CallConvs = [typeof(CallConvCdecl)])]
    public static int DiskBitmapEnable(ulong disk, ulong bitmap, uint enabled, ulong queue, ulong userToken)
    {
        try
        {
            return DiskBitmapCalls.Enable(disk, bitmap, enabled, queue, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_bitmap_merge", CallConvs = [typeof(CallConvCdecl)])]
    public static int DiskBitmapMerge(ulong disk, ulong bitmap, ulong source, ulong queue, ulong userToken)
    {
        try
        {
            return DiskBitmapCalls.Merge(disk, bitmap, source, queue, userToken);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_disk_bitmap_find", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int DiskBitmapFind(ulong disk, byte* name, uint nameLength, ulong* result)
    {
        try
        {
            return DiskBitmapCalls.Find(disk, name, nameLength, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, disk);
        }
    }
}
