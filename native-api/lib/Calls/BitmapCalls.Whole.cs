// fb_bitmap_*: what changes a bitmap as a whole, two bitmaps at once, and the serialised form.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Calls;

static partial class BitmapCalls
{
    public static int Set(ulong id, ulong offset, ulong length) =>
        Change(id, bits => bits.SetExclusive(offset, length));

    public static int ResetAll(ulong id) =>
        Change(
            id,
            bits =>
            {
                bits.ResetAll();
                return Fault.None;
            }
        );

    public static int Invert(ulong id) =>
        Change(
            id,
            bits =>
            {
                bits.Invert();
                return Fault.None;
            }
        );

    public static int And(ulong id, ulong otherId) => ChangeWith(id, otherId, (bits, other) => bits.And(other));

    public static int AndNot(ulong id, ulong otherId) => ChangeWith(id, otherId, (bits, other) => bits.AndNot(other));

    public static int Merge(ulong leftId, ulong rightId, ulong resultId)
    {
        if (HandleTable.Find<BitmapObject>(leftId) is not { } left)
            return Answer.Handle("left bitmap").Tell();
        return ChangeWith(
            resultId,
            rightId,
            (result, right) =>
            {
                HierarchicalBitmap leftBits = left.Bits;
                Fault fault = HierarchicalBitmap.Merge(leftBits, right, result);
                GC.KeepAlive(leftBits);
                return fault;
            }
        );
    }

    public static int Drain(ulong fromId, ulong intoId)
    {
        if (HandleTable.Find<BitmapObject>(fromId) is not { } from)
            return Answer.Handle("bitmap to drain").Tell();
        if (from.Own is not { } fromBits)
            return Answer.State("the bitmap to drain belongs to a disk").Tell();
        int status = Change(intoId, into => fromBits.DrainInto(into));
        GC.KeepAlive(fromBits);
        return status;
    }

    public static unsafe int Equal(ulong leftId, ulong rightId, uint* equal)
    {
        if (HandleTable.Find<BitmapObject>(rightId) is not { } right)
            return Answer.Handle("right bitmap").Tell();
        bool isEqual = false;
        int status = Look(
            leftId,
            equal == null,
            left =>
            {
                HierarchicalBitmap rightBits = right.Bits;
                isEqual = left.Equal(rightBits);
                GC.KeepAlive(rightBits);
                return Fault.None;
            }
        );
        if (status == Status.Ok)
            *equal = isEqual ? 1u : 0u;
        return status;
    }

    /// <summary>
    /// Growth past the room taken at creation makes new bits, so that a reader that comes at the wrong moment still
    /// reads memory that is there.
    /// </summary>
    public static int Truncate(ulong id, ulong sizeBytes)
    {
        if (HandleTable.Find<BitmapObject>(id) is not { } bitmap)
            return Answer.Handle(BitmapObject.Noun).Tell();
        return Change(
            id,
            bits => sizeBytes <= bitmap.SizeMaxBytes ? bits.Truncate(sizeBytes) : Grow(bitmap, sizeBytes)
        );
    }

    static Fault Grow(BitmapObject bitmap, ulong sizeBytes)
    {
        HierarchicalBitmap old = bitmap.Own!;
        Fault fault = HierarchicalBitmap.TryCreate(
            sizeBytes,
            old.GranularityBytes,
            default,
            out HierarchicalBitmap? larger
        );
        if (fault.IsNone)
            fault = larger!.CopyFrom(old);
        if (fault.IsNone)
            bitmap.Replace(larger!, sizeBytes);
        GC.KeepAlive(old);
        return fault;
    }

    public static unsafe int Sha256(ulong id, void* hash)
    {
        // SAFETY: the host vouches for 32 bytes.
        return Look(id, hash == null, bits => bits.Sha256(new Span<byte>(hash, Base.Sha256.HashBytes)));
    }

    public static unsafe int SerializeAlign(ulong id, ulong* alignBytes)
    {
        ulong align = 0;
        int status = Look(
            id,
            alignBytes == null,
            bits =>
            {
                align = bits.SerializationAlignmentBytes;
                return Fault.None;
            }
        );
        if (status == Status.Ok)
            *alignBytes = align;
        return status;
    }

    public static unsafe int SerializeSize(ulong id, ulong offset, ulong length, ulong* serializedBytes)
    {
        ulong size = 0;
        int status = Look(id, serializedBytes == null, bits => bits.SerializationSize(offset, length, out size));
        if (status == Status.Ok)
            *serializedBytes = size;
        return status;
    }

    public static unsafe int SerializePart(ulong id, ulong offset, ulong length, void* buffer, ulong capacity)
    {
        bool isNull = buffer == null && capacity > 0;
        // SAFETY: the host vouches for capacity bytes.
        return Look(id, isNull, bits => bits.SerializePart(offset, length, new Span<byte>(buffer, Clamp(capacity))));
    }

    public static unsafe int DeserializePart(ulong id, ulong offset, ulong length, void* buffer, ulong capacity)
    {
        if (buffer == null && capacity > 0)
            return Answer.Invalid("buffer is NULL").Tell();
        // SAFETY: the host vouches for capacity bytes.
        return Change(
            id,
            bits => bits.DeserializePart(offset, length, new ReadOnlySpan<byte>(buffer, Clamp(capacity)))
        );
    }

    public static int DeserializeZeroes(ulong id, ulong offset, ulong length) =>
        Change(id, bits => bits.DeserializeZeroes(offset, length));

    public static int DeserializeOnes(ulong id, ulong offset, ulong length) =>
        Change(id, bits => bits.DeserializeOnes(offset, length));

    public static int DeserializeFinish(ulong id) => Change(id, bits => bits.DeserializeFinish());

    /// <summary>A part of more than 2 GiB of bits is asked for in pieces; the engine says Invalid.</summary>
    static int Clamp(ulong capacity) => (int)Math.Min(capacity, int.MaxValue);

    static int ChangeWith(ulong id, ulong otherId, Func<HierarchicalBitmap, HierarchicalBitmap, Fault> change)
    {
        if (HandleTable.Find<BitmapObject>(otherId) is not { } other)
            return Answer.Handle("other bitmap").Tell();
        return Change(
            id,
            bits =>
            {
                HierarchicalBitmap otherBits = other.Bits;
                Fault fault = change(bits, otherBits);
                GC.KeepAlive(otherBits);
                return fault;
            }
        );
    }
}
