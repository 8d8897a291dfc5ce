// What a map says of a run of a disk: what the image has itself, and by a map of what it is based on the rest.
using System;
using System.Runtime.CompilerServices;
using FastBackup.Devices;
using FastBackup.Ports;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
/// <param name="parts">Of the image.</param>
/// <param name="reading">Knows how far what it is based on goes.</param>
/// <param name="owner">Its device.</param>
sealed class ClusterMapping(Qcow2Parts parts, ClusterReading reading, IImageOwner owner)
{
    const uint RunsATurn = 4096;

    /// <summary>A map need not describe all that was asked for.</summary>
    /// <param name="slot">With what it has so far; ends here if that is enough.</param>
    /// <param name="runs">That it has looked at in one turn.</param>
    public static bool IsEnough(Qcow2Slot slot, uint runs)
    {
        if (runs < RunsATurn || slot.MapCount == 0)
            return false;
        MapEntries.EndHere(slot);
        return true;
    }

    /// <summary>A run at the slot's position.</summary>
    public void Map(Qcow2Slot slot, in ClusterRun run)
    {
        ulong below = run.Kind == ClusterKind.Unallocated ? Math.Min(run.LengthBytes, reading.BackingLeft(slot)) : 0;
        if (below > 0)
        {
            MapBelow(slot, below);
            return;
        }
        ExtentKind kind = run.Kind switch
        {
            ClusterKind.Unallocated => ExtentKind.Hole,
            ClusterKind.Zero => ExtentKind.Zero,
            _ => ExtentKind.Data,
        };
        MapEntries.Add(slot, new MapEntry { LengthBytes = run.LengthBytes, Kind = kind });
    }

    /// <summary>The image below fills the rest of the entries.</summary>
    void MapBelow(Qcow2Slot slot, ulong lengthBytes)
    {
        uint room = slot.Request.MapCapacity - slot.MapCount;
        if (room == 0)
        {
            MapEntries.EndHere(slot);
            return;
        }
        BlockRequest request = default;
        request.Operation = BlockOperation.Map;
        request.Lane = slot.Request.Lane;
        request.OffsetBytes = slot.PositionBytes;
        request.LengthBytes = slot.AskedBytes = lengthBytes;
        request.Buffer = slot.Request.Buffer + (nint)slot.MapCount * Unsafe.SizeOf<MapEntry>();
        request.MapCapacity = room;
        owner.Send(slot, parts.Backing!, request);
    }
}
