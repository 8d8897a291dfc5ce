// The exports of the header: bitmaps, bit by bit and range by range. Each catches everything, in one pattern that a
// test checks in the IL.
// SAFETY: pointers are the host's; each callee says what it takes them for.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Errors;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Exports;

static class BitmapExports
{
    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_create", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapCreate(BitmapOptionsStruct* options, ulong* result)
    {
        try
        {
            return BitmapCalls.Create(options, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, 0);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_close", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapClose(ulong bitmap)
    {
        try
        {
            return BitmapCalls.Close(bitmap);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_mark", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapMark(ulong bitmap, ulong offset, ulong length)
    {
        try
        {
            return BitmapCalls.Mark(bitmap, offset, length);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_set", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapSet(ulong bitmap, ulong offset, ulong length)
    {
        try
        {
            return BitmapCalls.Set(bitmap, offset, length);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_reset", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapReset(ulong bitmap, ulong offset, ulong length)
    {
        try
        {
            return BitmapCalls.Reset(bitmap, offset, length);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_reset_all", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapResetAll(ulong bitmap)
    {
        try
        {
            return BitmapCalls.ResetAll(bitmap);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_get", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapGet(ulong bitmap, ulong offset, uint* dirty)
    {
        try
        {
            return BitmapCalls.Get(bitmap, offset, dirty);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_query", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapQuery(ulong bitmap, BitmapStateStruct* result)
    {
        try
        {
            return BitmapCalls.Query(bitmap, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_count", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapCount(ulong bitmap, ulong offset, ulong length, ulong* granules)
    {
        try
        {
            return BitmapCalls.Count(bitmap, offset, length, granules);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_next_dirty", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapNextDirty(ulong bitmap, ulong start, ulong end, ulong* found)
    {
        try
        {
            return BitmapCalls.NextDirty(bitmap, start, end, found);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_next_zero", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapNextZero(ulong bitmap, ulong start, ulong end, ulong* found)
    {
        try
        {
            return BitmapCalls.NextZero(bitmap, start, end, found);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_next_dirty_area", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapNextDirtyArea(
        ulong bitmap,
        ulong start,
        ulong end,
        ulong maxLength,
        ExtentStruct* area
    )
    {
        try
        {
            return BitmapCalls.NextDirtyArea(bitmap, start, end, maxLength, area);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_status", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapStatus(ulong bitmap, ulong start, ulong length, uint* dirty, ulong* runLength)
    {
        try
        {
            return BitmapCalls.StatusOf(bitmap, start, length, dirty, runLength);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_areas", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapAreas(ulong bitmap, ulong* position, ExtentStruct* areas, uint capacity)
    {
        try
        {
            return BitmapCalls.Areas(bitmap, position, areas, capacity);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }
}
