// Which parts of the frozen disk read as zeroes: a Map request of a snapshot. Each piece is asked for where its old
// data is now, and the answer is for T0 whatever guests write meanwhile:
//
//   on the disk itself   the disk's own map. It is taken without a hold, so that no guest waits for it; afterwards only
//                        what is still protected counts: until then no guest has written there since T0. Of the rest
//                        the map may tell of newer writes: it is looked at again, where its data is by then
//   on the target        the target's map: what is done there does not change any more
//   captured             data: it is in memory or scratch, and soon on the target; the same where only a block is
//   lost, not part of it data: a read there says what is wrong
//
// So a hole, or zero, is told only where reading gives zeroes; what cannot be known cheaply is data.
// Cost: one map of a device a piece; a piece is at most PieceClustersMax clusters, a request at most StepsMax pieces: a
// long range is answered in parts, as maps of devices are.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Ports;

namespace FastBackup.Filter;

public sealed partial class SnapshotView
{
    const ulong PieceClustersMax = 1 << 16;
    const ulong UntakenClustersMax = 1024;
    const ulong PlacesLookedAtMax = 1024; // one look each: some microseconds a turn
    const uint StepsMax = 256;
    const uint StepsATurnMax = 8;

    enum Whereabouts
    {
        Source,
        Target,
        Nowhere,
        Elsewhere,
    }

    /// <summary>Describes the next piece, or ends the request.</summary>
    void StepMap(ulong key, SnapshotSlot slot)
    {
        for (uint steps = 0; ; steps++)
        {
            ulong offset = slot.Request.OffsetBytes + slot.DoneBytes;
            ulong rest = slot.Request.LengthBytes - slot.DoneBytes;
            if (_filter.IsBroken)
            {
                FinishLater(key, slot, new Fault(FaultKind.SnapshotLost, _filter.BrokenBy.Errno, offset));
                return;
            }
            bool isThrough = rest == 0 || slot.EntryCount == slot.Request.MapCapacity;
            bool isLong = slot.StepCount >= StepsMax || steps >= StepsATurnMax;
            if (isThrough || (isLong && slot.EntryCount > 0))
            {
                FinishLater(key, slot, Fault.None);
                return;
            }
            slot.StepCount++;
            ulong cluster = offset / _filter.Map.ClusterBytes;
            Check.That(_filter.Map.TryTake(cluster, UntakenClustersMax));
            Whereabouts place = PlaceOf(cluster);
            ulong end = Math.Min(EndOfPlace(cluster, offset + rest, place), offset + rest);
            slot.Piece = new Extent(offset, end - offset);
            slot.IsPieceOnSource = place == Whereabouts.Source;
            // A piece that slips away under each look is data, too.
            if (place is Whereabouts.Elsewhere or Whereabouts.Nowhere || slot.StepCount > StepsMax)
            {
                AddEntry(slot, slot.Piece, place == Whereabouts.Nowhere ? ExtentKind.Zero : ExtentKind.Data);
                continue;
            }
            SubmitMap(key, slot, place == Whereabouts.Source ? _source : _filter.Target);
            return;
        }
    }

    /// <summary>Whom to ask about a cluster.</summary>
    Whereabouts PlaceOf(ulong cluster)
    {
        if (!_access.GetBit(cluster))
            return Whereabouts.Elsewhere;
        if (_filter.Map.Protected.GetBit(cluster))
            return _filter.Engine.Blocks?.HasSome(cluster) == true ? Whereabouts.Elsewhere : Whereabouts.Source;
        if (_filter.Map.Zeroes.GetBit(cluster))
            return Whereabouts.Nowhere;
        // Marked and not protected: what was captured was given up.
        bool isDone = !_filter.Map.Todo.GetBit(cluster) && _filter.Engine.PlaceOf(cluster) == CapturedPlace.None;
        return isDone ? Whereabouts.Target : Whereabouts.Elsewhere;
    }

    /// <summary>The end, in bytes, of the clusters from here on that are in the same place.</summary>
    ulong EndOfPlace(ulong cluster, ulong endBytes, Whereabouts place)
    {
        ulong clusterBytes = _filter.Map.ClusterBytes;
        ulong end = Math.Min(
            Units.DivCeil(endBytes, clusterBytes),
            cluster + (_filter.Map.IsWhole ? PieceClustersMax : UntakenClustersMax)
        );
        if (!_access.GetBit(cluster))
            return Math.Min(end, _access.NextDirtyBit(cluster, end)) * clusterBytes;
        if (place == Whereabouts.Source)
        {
            end = Math.Min(end, _access.NextCleanBit(cluster, end));
            return NextWritable(cluster, end) * clusterBytes;
        }
        end = Math.Min(end, cluster + PlacesLookedAtMax);
        ulong next = cluster + 1;
        while (next < end && PlaceOf(next) == place)
            next++;
        return next * clusterBytes;
    }

    void SubmitMap(ulong key, SnapshotSlot slot, IBlockDevice device)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Map;
        request.Lane = IoLane.Snapshot;
        request.OffsetBytes = slot.Piece.OffsetBytes;
        request.LengthBytes = slot.Piece.LengthBytes;
        unsafe
        {
            // SAFETY: the requester keeps room for MapCapacity entries until the completion.
            request.Buffer = (nint)((MapEntry*)slot.Request.Buffer + slot.EntryCount);
        }
        request.MapCapacity = slot.Request.MapCapacity - slot.EntryCount;
        request.Owner = this;
        request.UserData = key;
        device.Submit(request);
    }

    unsafe void OnMapped(ulong key, SnapshotSlot slot, in BlockResult result)
    {
        ulong end = slot.IsPieceOnSource ? EndOfProtected(slot.Piece) : slot.Piece.EndBytes;
        if (_filter.IsBroken)
            end = slot.Piece.OffsetBytes; // guests pass, protected or not
        uint count = result.Fault.IsNone ? result.Count : 0;
        // SAFETY: the device has filled Count entries, of those that the requester keeps room for.
        MapEntry* told = (MapEntry*)slot.Request.Buffer + slot.EntryCount;
        ulong offset = slot.Piece.OffsetBytes;
        for (uint i = 0; i < count && offset < end; i++)
        {
            MapEntry entry = told[i]; // a copy: what is added may lie over it, never beyond it
            if (entry.OffsetBytes != offset || entry.LengthBytes == 0)
                break; // the requester's memory is not trusted: others may have written to it
            ulong length = Math.Min(entry.LengthBytes, end - offset);
            AddEntry(slot, new Extent(offset, length), entry.Kind);
            offset += length;
        }
        if (offset == slot.Piece.OffsetBytes && end > offset) // no map: data, which is never wrong
            AddEntry(slot, new Extent(offset, end - offset), ExtentKind.Data);
        StepMap(key, slot);
    }

    /// <summary>Up to where no guest can have written since T0.</summary>
    ulong EndOfProtected(in Extent piece)
    {
        _filter.Map.Clusters(piece, out ulong first, out ulong count);
        return Math.Min(piece.EndBytes, NextWritable(first, first + count) * _filter.Map.ClusterBytes);
    }

    /// <summary>The first cluster to which a guest may have written since T0; or the end.</summary>
    ulong NextWritable(ulong cluster, ulong end)
    {
        end = Math.Min(end, _filter.Map.Protected.NextCleanBit(cluster, end));
        return _filter.Engine.Blocks?.Next(cluster, end) ?? end;
    }

    /// <summary>One more entry, or a longer last one.</summary>
    unsafe void AddEntry(SnapshotSlot slot, in Extent extent, ExtentKind kind)
    {
        // SAFETY: the requester keeps room for MapCapacity entries; the caller has looked that one is left.
        MapEntry* entries = (MapEntry*)slot.Request.Buffer;
        slot.DoneBytes += extent.LengthBytes;
        if (slot.EntryCount > 0 && entries[slot.EntryCount - 1].Kind == kind)
        {
            entries[slot.EntryCount - 1].LengthBytes += extent.LengthBytes;
            return;
        }
        Check.That(slot.EntryCount < slot.Request.MapCapacity);
        entries[slot.EntryCount++] = new MapEntry
        {
            OffsetBytes = extent.OffsetBytes,
            LengthBytes = extent.LengthBytes,
            Kind = kind,
        };
    }
}
