// A guest's disk as a device: each request goes the guest's way, past gate, watchers and bitmaps. Questions about its
// areas and its size go to the device below.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Ports;

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
        bool isAsked = request.Operation is BlockOperation.Map or BlockOperation.Size;
        if (isAsked && !IsMapOfAbsorbed(request))
            disk.Device.Submit(request);
        else
            base.Submit(request);
    }

    /// <summary>The device cannot tell of what clients have written and it has not got.</summary>
    bool IsMapOfAbsorbed(in BlockRequest request) =>
        request.Operation == BlockOperation.Map
        && disk.HasAbsorbed(new Extent(request.OffsetBytes, request.LengthBytes));

    protected override Fault HandOn(in BlockRequest request, ulong key)
    {
        if (request.Operation == BlockOperation.Map)
        {
            FinishLater(key, AllIsData(request));
            return Fault.None;
        }
        return disk.Submit(
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
    }

    static unsafe BlockResult AllIsData(in BlockRequest request)
    {
        // SAFETY: room for at least one entry, ours until the completion.
        *(MapEntry*)request.Buffer = new MapEntry
        {
            OffsetBytes = request.OffsetBytes,
            LengthBytes = request.LengthBytes,
            Kind = ExtentKind.Data,
        };
        return new BlockResult(Fault.None, 1);
    }

    void IGuestOwner.OnGuestCompleted(ulong userData, Fault fault) => Finish(userData, new BlockResult(fault));
}
