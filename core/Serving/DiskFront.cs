// A guest's disk as a device: each request goes the guest's way, past gate, watchers and bitmaps. Questions about its
// areas and its size go to the device below.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;

namespace FastBackup.Serving;

/// <summary>Threads: the loop's. Owner of the disk: the caller.</summary>
public sealed class DiskFront(Disk disk) : RequestFront(disk.Loop, AtOnceMax), IGuestOwner
{
    const uint AtOnceMax = 256;

    public override string Name => disk.Name;

    public override BlockLimits Limits => disk.Device.Limits;

    public override StorageIdentity? Storage => disk.Device.Storage;

    public override void Submit(in BlockRequest request)
    {
        if (request.Operation is BlockOperation.Map or BlockOperation.Size)
            disk.Device.Submit(request);
        else
            base.Submit(request);
    }

    protected override Fault HandOn(in BlockRequest request, ulong key) =>
        disk.Submit(
            new GuestRequest
            {
                Operation = request.Operation,
                Flags = request.Flags,
                OffsetBytes = request.OffsetBytes,
                LengthBytes = request.LengthBytes,
                Buffer = request.Buffer,
                Owner = this,
                UserData = key,
            }
        );

    void IGuestOwner.OnGuestCompleted(ulong userData, Fault fault) => Finish(userData, new BlockResult(fault));
}
