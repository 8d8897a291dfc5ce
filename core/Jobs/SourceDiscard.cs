// Gives parts of the source back once they are copied: a hint, whatever becomes of it. Cost: one request a chunk.
// A map of many holes is worked on faster than the source takes hints: those that are too many at once are not given.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
/// <param name="source">What is discarded.</param>
sealed class SourceDiscard(IBlockDevice source) : IBlockOwner
{
    readonly uint _inFlightMax = source.Limits.InFlightMax / 8; // others want theirs
    uint _inFlightCount;

    public void Begin(in Extent extent)
    {
        if (_inFlightCount >= _inFlightMax)
            return;
        _inFlightCount++;
        BlockRequest request = default;
        request.Operation = BlockOperation.Discard;
        request.Lane = IoLane.Background;
        request.OffsetBytes = extent.OffsetBytes;
        request.LengthBytes = extent.LengthBytes;
        request.Owner = this;
        source.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result) => _inFlightCount--;
}
