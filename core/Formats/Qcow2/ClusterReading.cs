// What a run of a disk is read from: its file, what the image is based on, a compressed cluster, or nothing.
using System;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
/// <param name="parts">Of the image.</param>
/// <param name="packed">Its compressed clusters.</param>
/// <param name="owner">Its device.</param>
sealed class ClusterReading(Qcow2Parts parts, PackedClusters packed, IImageOwner owner)
{
    readonly Qcow2Header _header = parts.Header;
    readonly IBlockDevice _data = parts.DataFile ?? parts.File;

    /// <summary>A run at the slot's position.</summary>
    public void Read(Qcow2Slot slot, in ClusterRun run)
    {
        switch (run.Kind)
        {
            case ClusterKind.Data:
                ReadData(slot, run);
                break;
            case ClusterKind.Compressed:
                ReadPacked(slot, run);
                break;
            case ClusterKind.Unallocated when BackingLeft(slot) > 0:
                ReadBelow(slot, parts.Backing!, slot.PositionBytes, Math.Min(run.LengthBytes, BackingLeft(slot)));
                break;
            default:
                Rest(slot, run.LengthBytes).Clear();
                slot.PositionBytes += run.LengthBytes;
                break;
        }
    }

    /// <summary>From the slot's position to the end of what the image is based on.</summary>
    public ulong BackingLeft(Qcow2Slot slot)
    {
        ulong capacityBytes = parts.Backing?.Limits.CapacityBytes ?? 0;
        return capacityBytes - Math.Min(capacityBytes, slot.PositionBytes);
    }

    void ReadData(Qcow2Slot slot, in ClusterRun run)
    {
        ulong fileBytes = owner.DataFileBytes;
        ulong within = run.HostBytes & (_header.ClusterBytes - 1);
        if (run.HostBytes < fileBytes)
            ReadBelow(slot, _data, run.HostBytes, Math.Min(run.LengthBytes, fileBytes - run.HostBytes));
        else if (run.HostBytes - within < fileBytes)
        {
            ulong length = Math.Min(run.LengthBytes, _header.ClusterBytes - within);
            Rest(slot, length).Clear();
            slot.PositionBytes += length;
        }
        else
            owner.Fail(slot, Text($"has data at {run.HostBytes}, behind the end of its file: it was cut"));
    }

    void ReadPacked(Qcow2Slot slot, in ClusterRun run)
    {
        if (run.HostBytes < _header.ClusterBytes || run.HostBytes >= owner.DataFileBytes)
        {
            owner.Fail(slot, Text($"has a compressed cluster at {run.HostBytes}, where none can be"));
            return;
        }
        ulong within = slot.PositionBytes & (_header.ClusterBytes - 1);
        Span<byte> part = Rest(slot, run.LengthBytes);
        TableState state =
            run.LengthBytes == _header.ClusterBytes
                ? packed.ReadWhole(slot, run, Qcow2Device.Address(slot))
                : packed.Read(slot, run, within, part);
        if (state == TableState.Ready)
            slot.PositionBytes += run.LengthBytes;
    }

    void ReadBelow(Qcow2Slot slot, IBlockDevice device, ulong offsetBytes, ulong lengthBytes)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        request.Lane = slot.Request.Lane;
        request.OffsetBytes = offsetBytes;
        request.LengthBytes = lengthBytes;
        request.Buffer = Qcow2Device.Address(slot);
        slot.PositionBytes += lengthBytes;
        owner.Send(slot, device, request);
    }

    static unsafe Span<byte> Rest(Qcow2Slot slot, ulong lengthBytes) =>
        // SAFETY: runs end with the request, whose buffer is as long as it and ours until the completion.
        new((void*)Qcow2Device.Address(slot), checked((int)lengthBytes));

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
