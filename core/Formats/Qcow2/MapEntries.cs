// The entries that a Map fills in: in the buffer of who asks, neighbours that are alike in one.
using System;
using FastBackup.Ports;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
static class MapEntries
{
    /// <summary>Of the image below, which has filled in what was asked of it: takes that, a layer deeper.</summary>
    public static void TakeBelow(Qcow2Slot slot, uint count)
    {
        Span<MapEntry> filled = All(slot).Slice((int)slot.MapCount, (int)count);
        ulong endBytes = slot.PositionBytes + slot.AskedBytes;
        slot.AskedBytes = 0;
        if (count == 0) // no map: all of it is data
            Add(slot, new MapEntry { LengthBytes = endBytes - slot.PositionBytes, Depth = 1 });
        for (int i = 0; i < filled.Length && slot.PositionBytes < endBytes; i++)
        {
            MapEntry entry = filled[i]; // Add writes to an earlier one, or to this
            ulong length = Math.Min(entry.LengthBytes, endBytes - slot.PositionBytes);
            uint depth = entry.Kind == ExtentKind.Hole ? 0 : entry.Depth + 1;
            Add(
                slot,
                new MapEntry
                {
                    LengthBytes = length,
                    Kind = entry.Kind,
                    Depth = depth,
                }
            );
        }
    }

    /// <summary>An entry at the slot's position, or more of the last; where there is no room the map ends.</summary>
    public static void Add(Qcow2Slot slot, MapEntry entry)
    {
        entry.OffsetBytes = slot.PositionBytes;
        Span<MapEntry> entries = All(slot);
        if (slot.MapCount > 0)
        {
            ref MapEntry last = ref entries[(int)slot.MapCount - 1];
            if (last.Kind == entry.Kind && last.Depth == entry.Depth)
            {
                last.LengthBytes += entry.LengthBytes;
                slot.PositionBytes += entry.LengthBytes;
                return;
            }
        }
        if (slot.MapCount == slot.Request.MapCapacity)
        {
            EndHere(slot);
            return;
        }
        entries[(int)slot.MapCount++] = entry;
        slot.PositionBytes += entry.LengthBytes;
    }

    /// <summary>A map need not describe all that was asked for.</summary>
    public static void EndHere(Qcow2Slot slot) =>
        slot.Request.LengthBytes = slot.PositionBytes - slot.Request.OffsetBytes;

    static unsafe Span<MapEntry> All(Qcow2Slot slot) =>
        // SAFETY: the caller keeps room for MapCapacity entries until the completion.
        new((void*)slot.Request.Buffer, (int)slot.Request.MapCapacity);
}
