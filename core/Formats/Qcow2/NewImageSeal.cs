// Makes an image of what was written: the tables behind the data, a flush, the header, a flush that seals. Each step
// begins when the one before has ended, so a file whose header is there has everything that it names; before that it
// begins with zeroes and is no image to anybody. The first fault ends it.
// Cost: one buffer of 1 MiB, a write each.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's. Used once.</summary>
/// <param name="file">Written to.</param>
/// <param name="tables">Of the image.</param>
/// <param name="firstCluster">Where they begin.</param>
/// <param name="buffer">BufferBytes of memory.</param>
/// <param name="onEnd">Told of the end.</param>
sealed class NewImageSeal(
    IBlockDevice file,
    NewImageTables tables,
    ulong firstCluster,
    AlignedRegion buffer,
    Action<Fault> onEnd
) : IBlockOwner
{
    public const ulong BufferBytes = Units.MiB;

    enum Step
    {
        Tables,
        FlushTables,
        Header,
        FlushHeader,
    }

    ulong _next = firstCluster;
    Step _step;

    public void Begin() => WriteTables();

    void WriteTables()
    {
        ulong count = Math.Min(BufferBytes / NewImageShape.ClusterBytes, tables.EndCluster - _next);
        for (ulong i = 0; i < count; i++)
            tables.Fill(_next + i, buffer.Slice(i * NewImageShape.ClusterBytes, (int)NewImageShape.ClusterBytes));
        ulong offset = _next << NewImageShape.ClusterBits;
        _next += count;
        Submit(BlockOperation.Write, BlockFlags.None, offset, count << NewImageShape.ClusterBits);
    }

    void Submit(BlockOperation operation, BlockFlags flags, ulong offset, ulong length)
    {
        BlockRequest request = default;
        request.Operation = operation;
        request.Flags = flags;
        request.Lane = IoLane.Background;
        request.OffsetBytes = offset;
        request.LengthBytes = length;
        request.Buffer = length > 0 ? buffer.Start : 0;
        request.Owner = this;
        file.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsFault || _step == Step.FlushHeader)
        {
            onEnd(result.Fault);
            return;
        }
        if (_step == Step.Tables && _next < tables.EndCluster)
        {
            WriteTables();
            return;
        }
        switch (++_step)
        {
            case Step.Header:
                tables.FillHeader(buffer.Slice(0, (int)NewImageShape.ClusterBytes));
                Submit(BlockOperation.Write, BlockFlags.None, 0, NewImageShape.ClusterBytes);
                break;
            case Step.FlushTables:
                Submit(BlockOperation.Flush, BlockFlags.None, 0, 0);
                break;
            default:
                Submit(BlockOperation.Flush, BlockFlags.Seal, 0, 0);
                break;
        }
    }
}
