// Gives parts of the source back once they are copied: a hint, whatever becomes of it. Cost: one request a chunk.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
/// <param name="source">What is discarded.</param>
sealed class SourceDiscard(IBlockDevice source) : IBlockOwner
{
    public void Begin(in Extent extent)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Discard;
        request.Lane = IoLane.Background;
        request.OffsetBytes = extent.OffsetBytes;
        request.LengthBytes = extent.LengthBytes;
        request.Owner = this;
        source.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result) { }
}
