// Puts the extension for bitmaps into the header of an image, or what it says anew. Each step changes bytes that mean
// something only in one sector, or bytes that the header does not refer to at that time: so a power cut between any two
// of them, or within one, leaves a header that every program reads.
//
//   not true      autoclear bit 0 goes: nobody believes the extension, whatever is in it
//   a new place   where the name of the backing file is in the way, the name is written once more behind itself, and
//                 then named; what was there is zeroed, which is the end of the extensions
//   the extension its 24 bytes, in their place or behind the last one
//   true          autoclear bit 0 is set; only where there are bitmaps
//
// Without bitmaps the extension's place is zeroed where it is the last, as it is in what QEMU and we write; else it
// stays, and is not true.
using System;
using System.Buffers.Binary;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one, that may wait. Nobody else changes the header meanwhile.</summary>
sealed class HeaderEdit
{
    const int AutoclearOffset = 88;
    const int SectorBytes = 512;
    const int ExtensionHeadBytes = 8;
    const int ExtensionBytes = 24;

    readonly IImageFile _file;
    readonly byte[] _head;
    int _endOffset; // of the mark behind the last extension
    int _placeOffset; // of the extension for bitmaps; 0: there is none
    bool _isLast;

    HeaderEdit(IImageFile file, byte[] head) => (_file, _head) = (file, head);

    /// <summary>The file has a header that was understood.</summary>
    /// <param name="file">Of the image, of version 3.</param>
    /// <param name="clusterBytes">Its own.</param>
    /// <param name="edit">Null after a fault.</param>
    public static Fault TryRead(IImageFile file, ulong clusterBytes, out HeaderEdit? edit)
    {
        byte[] head = new byte[Math.Min(clusterBytes, file.SizeBytes)];
        Fault fault = file.Read(0, head);
        edit = fault.IsNone ? new HeaderEdit(file, head) : null;
        edit?.Find();
        return fault;
    }

    ulong BackingOffset => BinaryPrimitives.ReadUInt64BigEndian(_head.AsSpan(8));

    /// <summary>The extension has its place, or can be given one.</summary>
    public bool HasRoom =>
        _placeOffset > 0 || (MovesName ? NewNameOffset + NameBytes : Wanted) <= (NameBytes > 0 ? _head.Length : End);

    int NameBytes => BackingOffset == 0 ? 0 : (int)BinaryPrimitives.ReadUInt32BigEndian(_head.AsSpan(16));

    /// <summary>Of what may have extensions.</summary>
    int End => BackingOffset > 0 && BackingOffset < (ulong)_head.Length ? (int)BackingOffset : _head.Length;

    /// <summary>Where the extensions would end, with their mark.</summary>
    int Wanted => _endOffset + ExtensionHeadBytes + ExtensionBytes + ExtensionHeadBytes;

    bool MovesName => NameBytes > 0 && Wanted > End;

    int NewNameOffset => Math.Max(Wanted, (int)Units.AlignUp(BackingOffset + (ulong)NameBytes, 8));

    void Find()
    {
        int at = (int)BinaryPrimitives.ReadUInt32BigEndian(_head.AsSpan(100));
        int end = End;
        for (; at + ExtensionHeadBytes <= end; )
        {
            uint type = BinaryPrimitives.ReadUInt32BigEndian(_head.AsSpan(at));
            if (type == 0)
                break;
            _isLast = type == HeaderParser.BitmapsExtension;
            _placeOffset = _isLast ? at : _placeOffset;
            at += ExtensionHeadBytes + (int)BinaryPrimitives.ReadUInt32BigEndian(_head.AsSpan(at + 4));
            at = (int)Units.AlignUp((ulong)at, 8);
        }
        _endOffset = at;
    }

    /// <summary>There has to be room, where there are bitmaps.</summary>
    /// <param name="bitmaps">What it is to say; null: there are none.</param>
    public Fault Write(Qcow2BitmapTable? bitmaps)
    {
        Fault fault = SetTrue(false);
        if (fault.IsNone && bitmaps == null)
            return _placeOffset > 0 && _isLast ? Clear(_placeOffset, _endOffset) : Fault.None;
        if (fault.IsNone && _placeOffset == 0)
            fault = MakeRoom();
        if (fault.IsFault)
            return fault;
        Span<byte> place = _head.AsSpan(_placeOffset, ExtensionHeadBytes + ExtensionBytes);
        place.Clear(); // what was not believed may be anything
        BinaryPrimitives.WriteUInt32BigEndian(place, HeaderParser.BitmapsExtension);
        BinaryPrimitives.WriteUInt32BigEndian(place[4..], ExtensionBytes);
        BinaryPrimitives.WriteUInt32BigEndian(place[8..], bitmaps!.Count);
        BinaryPrimitives.WriteUInt64BigEndian(place[16..], bitmaps.DirectoryBytes);
        BinaryPrimitives.WriteUInt64BigEndian(place[24..], bitmaps.DirectoryOffsetBytes);
        fault = WriteOut(_placeOffset, _placeOffset + place.Length);
        return fault.IsNone ? SetTrue(true) : fault;
    }

    Fault SetTrue(bool isTrue)
    {
        Span<byte> field = _head.AsSpan(AutoclearOffset, 8);
        ulong before = BinaryPrimitives.ReadUInt64BigEndian(field);
        ulong after = isTrue ? before | Qcow2Bitmap.IsConsistent : before & ~Qcow2Bitmap.IsConsistent;
        if (before == after)
            return Fault.None;
        BinaryPrimitives.WriteUInt64BigEndian(field, after);
        return WriteOut(AutoclearOffset, AutoclearOffset + 8);
    }

    Fault MakeRoom()
    {
        Check.That(HasRoom);
        (int place, int clearEnd) = (_endOffset, Wanted);
        Fault fault = Fault.None;
        if (MovesName)
        {
            int offset = clearEnd = NewNameOffset;
            _head.AsSpan((int)BackingOffset, NameBytes).CopyTo(_head.AsSpan(offset));
            fault = WriteOut(offset, offset + NameBytes);
            BinaryPrimitives.WriteUInt64BigEndian(_head.AsSpan(8), (ulong)offset);
            if (fault.IsNone)
                fault = WriteOut(8, 16);
        }
        if (fault.IsNone)
            fault = Clear(place, clearEnd);
        _placeOffset = place;
        return fault;
    }

    Fault Clear(int from, int to)
    {
        _head.AsSpan(from, to - from).Clear();
        return WriteOut(from, to);
    }

    /// <summary>Whole sectors, durably.</summary>
    Fault WriteOut(int from, int to)
    {
        int start = from / SectorBytes * SectorBytes;
        int end = Math.Min((to + SectorBytes - 1) / SectorBytes * SectorBytes, _head.Length);
        Fault fault = _file.Write((ulong)start, _head.AsSpan(start, end - start));
        return fault.IsNone ? _file.Flush() : fault;
    }
}
