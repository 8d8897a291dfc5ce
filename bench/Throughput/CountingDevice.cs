// Counts the requests that pass to a device. One more call a request; completions go to their owner directly.

using FastBackup.Devices;
using FastBackup.Devices.Opening;

namespace FastBackup.Bench.Throughput;

/// <summary>Threads: the loop's. Does not own the device.</summary>
sealed class CountingDevice(IBlockDevice device) : IBlockDevice
{
    public string Name => device.Name;

    public StorageIdentity? Storage => device.Storage;

    public BlockLimits Limits => device.Limits;

    public uint InFlightCount => device.InFlightCount;

    public bool ReadsAsZero => device.ReadsAsZero;

    public ulong ReadCount { get; private set; }

    public ulong WriteCount { get; private set; }

    public void Submit(in BlockRequest request)
    {
        if (request.Operation == BlockOperation.Read)
            ReadCount++;
        else if (request.Operation == BlockOperation.Write)
            WriteCount++;
        device.Submit(request);
    }

    public void Promote(IBlockOwner owner, ulong userData) => device.Promote(owner, userData);

    public void Dispose() { }
}
