// The exports of the header: bitmaps as a whole. Each catches everything, in one pattern that a test checks in the IL.
// SAFETY: pointers are the host's; each callee says what it takes them for.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastBackup.Native.Bitmaps;
using FastBackup.Native.Errors;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Exports;

static class BitmapWholeExports
{
    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_merge", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapMerge(ulong left, ulong right, ulong result)
    {
        try
        {
            return BitmapCalls.Merge(left, right, result);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, left);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_and", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapAnd(ulong bitmap, ulong other)
    {
        try
        {
            return BitmapCalls.And(bitmap, other);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_and_not", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapAndNot(ulong bitmap, ulong other)
    {
        try
        {
            return BitmapCalls.AndNot(bitmap, other);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_invert", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapInvert(ulong bitmap)
    {
        try
        {
            return BitmapCalls.Invert(bitmap);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_equal", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapEqual(ulong left, ulong right, uint* equal)
    {
        try
        {
            return BitmapCalls.Equal(left, right, equal);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, left);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_drain", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapDrain(ulong source, ulong target)
    {
        try
        {
            return BitmapCalls.Drain(source, target);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, source);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_truncate", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapTruncate(ulong bitmap, ulong sizeBytes)
    {
        try
        {
            return BitmapCalls.Truncate(bitmap, sizeBytes);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_serialize_align", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapSerializeAlign(ulong bitmap, ulong* alignBytes)
    {
        try
        {
            return BitmapCalls.SerializeAlign(bitmap, alignBytes);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_serialize_size", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapSerializeSize(ulong bitmap, ulong offset, ulong length, ulong* serializedBytes)
    {
        try
        {
            return BitmapCalls.SerializeSize(bitmap, offset, length, serializedBytes);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_serialize_part", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapSerializePart(ulong bitmap, ulong offset, ulong length, void* buffer, ulong capacity)
    {
        try
        {
            return BitmapCalls.SerializePart(bitmap, offset, length, buffer, capacity);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_deserialize_part", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapDeserializePart(
        ulong bitmap,
        ulong offset,
        ulong length,
        void* buffer,
        ulong capacity
    )
    {
        try
        {
            return BitmapCalls.DeserializePart(bitmap, offset, length, buffer, capacity);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_deserialize_zeroes", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapDeserializeZeroes(ulong bitmap, ulong offset, ulong length)
    {
        try
        {
            return BitmapCalls.DeserializeZeroes(bitmap, offset, length);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_deserialize_ones", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapDeserializeOnes(ulong bitmap, ulong offset, ulong length)
    {
        try
        {
            return BitmapCalls.DeserializeOnes(bitmap, offset, length);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_deserialize_finish", CallConvs = [typeof(CallConvCdecl)])]
    public static int BitmapDeserializeFinish(ulong bitmap)
    {
        try
        {
            return BitmapCalls.DeserializeFinish(bitmap);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "fb_bitmap_sha256", CallConvs = [typeof(CallConvCdecl)])]
    public static unsafe int BitmapSha256(ulong bitmap, void* hash)
    {
        try
        {
            return BitmapCalls.Sha256(bitmap, hash);
        }
        catch (Exception exception)
        {
            return Guard.Caught(exception, bitmap);
        }
    }
}
