// The table of a tracker's points, to bytes and back. The bytes are spread over whole pages, each sealed by itself, in
// two copies. A table is never changed: the next one has another id and place, and the header says which one counts.
//
//   offset  bytes
//        0  4      count of points, oldest first
//        4  4      zero
//   then of each
//        0  8      map
//        8  8      when it was made, ns since 1970; 0: not known
//       16  2      flags; bit 0: the base; bit 1: a persistent bitmap's
//       18  2      bytes of the name
//       20  ...    name, UTF-8
//
// What it does not do: hold maps. Each map is in two fine areas of its own, of the same format as the one that records.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using System.Text.Unicode;
using FastBackup.Base;

namespace FastBackup.Tracking.Format;

static class PointTable
{
    public const int BytesPerPage = TrackerShape.PageBytes - SealedBlock.HeadBytes;

    /// <summary>Of one copy in the file; a longer one was made to harm.</summary>
    public const ulong LengthMaxBytes = 32 * TrackerShape.PageBytes;

    const int HeadBytes = 8;
    const int EntryBytes = 20;
    const ushort BaseFlag = 1;
    const ushort BitmapFlag = 2;

    /// <summary>Whole pages' worth of it.</summary>
    public static byte[] Write(IReadOnlyList<TrackedPoint> points)
    {
        int lengthBytes = HeadBytes;
        foreach (TrackedPoint point in points)
            lengthBytes += EntryBytes + Encoding.UTF8.GetByteCount(point.Name);
        byte[] bytes = new byte[(int)Units.DivCeil((ulong)lengthBytes, BytesPerPage) * BytesPerPage];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)points.Count);
        int at = HeadBytes;
        foreach (TrackedPoint point in points)
        {
            Span<byte> entry = bytes.AsSpan(at);
            int nameBytes = Encoding.UTF8.GetBytes(point.Name, entry[EntryBytes..]);
            BinaryPrimitives.WriteUInt64LittleEndian(entry, point.MapId);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], point.CreatedNs);
            int flags = (point.IsBase ? BaseFlag : 0) | (point.IsBitmap ? BitmapFlag : 0);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[16..], (ushort)flags);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[18..], (ushort)nameBytes);
            at += EntryBytes + nameBytes;
        }
        return bytes;
    }

    /// <returns>Null: it says what cannot be. What is returned is not judged against a header yet.</returns>
    public static TrackedPoint[]? TryRead(ReadOnlySpan<byte> bytes)
    {
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (count is 0 or > TrackedPoint.EntriesMax)
            return null;
        TrackedPoint[] points = new TrackedPoint[count];
        ReadOnlySpan<byte> rest = bytes[HeadBytes..];
        for (int i = 0; i < points.Length; i++)
        {
            if (rest.Length < EntryBytes)
                return null;
            int nameBytes = BinaryPrimitives.ReadUInt16LittleEndian(rest[18..]);
            if (nameBytes > rest.Length - EntryBytes || ReadName(rest.Slice(EntryBytes, nameBytes)) is not { } name)
                return null;
            ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(rest[16..]);
            points[i] = new TrackedPoint(
                BinaryPrimitives.ReadUInt64LittleEndian(rest),
                BinaryPrimitives.ReadUInt64LittleEndian(rest[8..]),
                (flags & BaseFlag) != 0,
                name
            )
            {
                IsBitmap = (flags & BitmapFlag) != 0 && name.Length > 0,
            };
            rest = rest[(EntryBytes + nameBytes)..];
        }
        return points;
    }

    /// <summary>Whether a header can have these points: each map has its areas, and the last one records.</summary>
    public static bool IsLegal(TrackerHeader header, ReadOnlySpan<TrackedPoint> points)
    {
        HashSet<ulong> maps = [];
        HashSet<string> names = [];
        int baseCount = 0;
        foreach (TrackedPoint point in points)
        {
            bool isNew = maps.Add(point.MapId) && (point.Name.Length == 0 || names.Add(point.Name));
            if (
                !isNew
                || point.MapId == 0
                || point.MapId > header.LastMapId
                || !HeaderRules.HasFine(header, point.MapId)
            )
                return false;
            baseCount += point.IsBase ? 1 : 0;
        }
        return baseCount == 1 && names.Count <= TrackedPoint.CountMax && points[^1].MapId == header.MapId;
    }

    static string? ReadName(ReadOnlySpan<byte> bytes)
    {
        if (!Utf8.IsValid(bytes))
            return null;
        string name = Encoding.UTF8.GetString(bytes);
        return name.Length == 0 || TrackedPoint.IsName(name) ? name : null;
    }
}
