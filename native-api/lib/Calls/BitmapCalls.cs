// fb_bitmap_*: making and closing, marks, single bits, counts, searches.
using System;
using System.Runtime.CompilerServices;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static partial class BitmapCalls
{
    public static unsafe int Create(BitmapOptionsStruct* host, ulong* result)
    {
        if (result == null)
            return Answer.Invalid("out is NULL").Tell();
        *result = 0;
        Answer answer = StructSize.TryRead(host, BitmapOptionsStruct.SizeFirst, out BitmapOptionsStruct given);
        if (answer.IsOk && (given.Flags & ~Fb.BitmapResident) != 0)
            answer = Answer.Unsupported($"bitmap flags {given.Flags:x} are not all known");
        if (!answer.IsOk)
            return answer.Tell();
        BitmapOptions options = new((given.Flags & Fb.BitmapResident) != 0, given.SizeMaxBytes);
        Fault fault = HierarchicalBitmap.TryCreate(
            given.SizeBytes,
            given.GranularityBytes,
            options,
            out HierarchicalBitmap? bits
        );
        if (fault.IsFault)
            return Answer.Of(fault).Tell();
        ulong sizeMaxBytes = Math.Max(given.SizeBytes, given.SizeMaxBytes);
        *result = HandleTable.Open(new BitmapObject(bits!, sizeMaxBytes));
        return Status.Ok;
    }

    public static int Close(ulong id)
    {
        if (id == 0)
            return Status.Ok;
        if (HandleTable.Find<BitmapObject>(id) is not { } bitmap)
            return Answer.Handle(BitmapObject.Noun).Tell();
        if (bitmap.IsOfDisk)
            return Answer.State("the bitmap belongs to a disk: remove it there first").Tell();
        if (!bitmap.TryClose())
            return Answer.Handle(BitmapObject.Noun).Tell();
        HandleTable.Close(bitmap);
        Retirement.Retire(bitmap.Bits.BitCount);
        return Status.Ok;
    }

    /// <summary>The I/O path: nothing here allocates, waits, or takes a lock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Mark(ulong id, ulong offset, ulong length)
    {
        BitmapObject? bitmap = HandleTable.Find<BitmapObject>(id);
        HierarchicalBitmap? bits = bitmap?.Own;
        if (bits == null)
            return RefuseMark(bitmap);
        bool isSet = bits.Set(offset, length).IsNone;
        GC.KeepAlive(bits);
        return isSet ? Status.Ok : RefuseRange(offset);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static int RefuseMark(BitmapObject? bitmap) =>
        bitmap == null
            ? LastError.Set(Status.Handle, "bitmap: not an open handle")
            : LastError.Set(Status.State, "the bitmap belongs to a disk, whose writes mark it");

    [MethodImpl(MethodImplOptions.NoInlining)]
    static int RefuseRange(ulong offset) =>
        LastError.Set(Status.Range, "the range passes the end of the bitmap", offset);

    public static int Reset(ulong id, ulong offset, ulong length)
    {
        if (HandleTable.Find<BitmapObject>(id) is not { } bitmap)
            return Answer.Handle(BitmapObject.Noun).Tell();
        return bitmap.Own is { } bits
            ? End(bits, bits.Reset(offset, length))
            : Answer.State("the bitmap belongs to a disk: fb_disk_bitmap_* change it").Tell();
    }

    public static unsafe int Get(ulong id, ulong offset, uint* dirty)
    {
        if (!TryLook(id, dirty == null, out HierarchicalBitmap bits, out int status))
            return status;
        Fault fault = bits.Get(offset, out bool isDirty);
        if (fault.IsNone)
            *dirty = isDirty ? 1u : 0u;
        return End(bits, fault);
    }

    public static unsafe int Query(ulong id, BitmapStateStruct* host)
    {
        if (HandleTable.Find<BitmapObject>(id) is not { } bitmap)
            return Answer.Handle(BitmapObject.Noun).Tell();
        HierarchicalBitmap bits = bitmap.Bits;
        BitmapStateStruct state = new()
        {
            SizeBytes = bits.SizeBytes,
            GranularityBytes = bits.GranularityBytes,
            GranuleCount = bits.BitCount,
            DirtyGranules = bits.CountBits(),
            DirtyBytes = bits.CountBytes(),
        };
        if (bitmap.IsOfDisk && bitmap.Dirty is { } dirty)
        {
            state.Flags = Fb.BitmapIsOfDisk;
            state.Flags |= (dirty.IsBusy ? Fb.BitmapIsBusy : 0) | (dirty.IsEnabled ? Fb.BitmapIsEnabled : 0);
        }
        GC.KeepAlive(bits);
        return StructSize.TryWrite(host, BitmapStateStruct.SizeFirst, state).Tell();
    }

    public static unsafe int Count(ulong id, ulong offset, ulong length, ulong* granules)
    {
        if (!TryLook(id, granules == null, out HierarchicalBitmap bits, out int status))
            return status;
        Fault fault = bits.PopCount(offset, length, out ulong count);
        if (fault.IsNone)
            *granules = count;
        return End(bits, fault);
    }

    public static unsafe int NextDirty(ulong id, ulong start, ulong end, ulong* found)
    {
        if (!TryLook(id, found == null, out HierarchicalBitmap bits, out int status))
            return status;
        Fault fault = bits.NextDirty(start, end, out ulong at);
        if (fault.IsNone)
            *found = at;
        return End(bits, fault);
    }

    public static unsafe int NextZero(ulong id, ulong start, ulong end, ulong* found)
    {
        if (!TryLook(id, found == null, out HierarchicalBitmap bits, out int status))
            return status;
        Fault fault = bits.NextZero(start, end, out ulong at);
        if (fault.IsNone)
            *found = at;
        return End(bits, fault);
    }

    public static unsafe int NextDirtyArea(ulong id, ulong start, ulong end, ulong maxLength, ExtentStruct* area)
    {
        if (!TryLook(id, area == null, out HierarchicalBitmap bits, out int status))
            return status;
        Fault fault = bits.NextDirtyArea(start, end, maxLength, out Extent found);
        if (fault.IsNone)
            *area = new ExtentStruct { Offset = found.OffsetBytes, Length = found.LengthBytes };
        return End(bits, fault);
    }

    public static unsafe int StatusOf(ulong id, ulong start, ulong length, uint* dirty, ulong* runLength)
    {
        if (!TryLook(id, dirty == null || runLength == null, out HierarchicalBitmap bits, out int status))
            return status;
        Fault fault = bits.Status(start, length, out bool isDirty, out ulong run);
        if (fault.IsNone)
            (*dirty, *runLength) = (isDirty ? 1u : 0u, run);
        return End(bits, fault);
    }

    public static unsafe int Areas(ulong id, ulong* position, ExtentStruct* areas, uint capacity)
    {
        if (HandleTable.Find<BitmapObject>(id) is not { } bitmap)
            return Answer.Handle(BitmapObject.Noun).Tell();
        if (position == null || areas == null || capacity == 0)
            return Answer.Invalid("position or areas is NULL, or the capacity 0").Tell();
        HierarchicalBitmap bits = bitmap.Bits;
        ulong end = bits.SizeBytes;
        int count = 0;
        capacity = Math.Min(capacity, int.MaxValue);
        while (count < capacity && *position != end)
        {
            Fault fault = bits.NextDirtyArea(*position, end, ulong.MaxValue, out Extent found);
            if (fault.IsFault)
                return Answer.Of(fault).Tell();
            *position = found.IsEmpty ? end : found.EndBytes;
            // SAFETY: the host vouches for capacity elements.
            if (!found.IsEmpty)
                areas[count++] = new ExtentStruct { Offset = found.OffsetBytes, Length = found.LengthBytes };
        }
        GC.KeepAlive(bits);
        return count;
    }

    /// <summary>The begin of a call that only reads; allocates nothing.</summary>
    static bool TryLook(ulong id, bool isNull, out HierarchicalBitmap bits, out int status)
    {
        bits = null!;
        BitmapObject? bitmap = HandleTable.Find<BitmapObject>(id);
        if (bitmap == null)
            status = Answer.Handle(BitmapObject.Noun).Tell();
        else
            status = isNull ? Answer.Invalid("an out parameter is NULL").Tell() : Status.Ok;
        if (status == Status.Ok)
            bits = bitmap!.Bits;
        return status == Status.Ok;
    }

    /// <summary>The end of a call: up to here the memory is there.</summary>
    static int End(HierarchicalBitmap bits, Fault fault)
    {
        GC.KeepAlive(bits);
        return fault.IsNone ? Status.Ok : Answer.Of(fault).Tell();
    }

    /// <summary>A call that only reads.</summary>
    static int Look(ulong id, bool isNull, Func<HierarchicalBitmap, Fault> look)
    {
        if (HandleTable.Find<BitmapObject>(id) is not { } bitmap)
            return Answer.Handle(BitmapObject.Noun).Tell();
        if (isNull)
            return Answer.Invalid("an out parameter is NULL").Tell();
        HierarchicalBitmap bits = bitmap.Bits;
        Fault fault = look(bits);
        GC.KeepAlive(bits);
        return fault.IsNone ? Status.Ok : Answer.Of(fault).Tell();
    }

    /// <summary>A call that changes a bitmap which is the host's own.</summary>
    static int Change(ulong id, Func<HierarchicalBitmap, Fault> change, bool isExclusive = true)
    {
        if (HandleTable.Find<BitmapObject>(id) is not { } bitmap)
            return Answer.Handle(BitmapObject.Noun).Tell();
        if (isExclusive)
            bitmap.Exclusive.Enter();
        try
        {
            if (bitmap.Own is not { } bits)
                return Answer.State("the bitmap belongs to a disk: fb_disk_bitmap_* change it").Tell();
            Fault fault = change(bits);
            GC.KeepAlive(bits);
            return fault.IsNone ? Status.Ok : Answer.Of(fault).Tell();
        }
        finally
        {
            if (isExclusive)
                bitmap.Exclusive.Exit();
        }
    }
}
