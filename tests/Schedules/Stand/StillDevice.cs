// A disk whose host does all the input and output itself.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Tests.Schedules.Stand;

sealed class StillDevice : IBlockDevice
{
    public string Name => "still";

    public BlockLimits Limits { get; } =
        new()
        {
            CapacityBytes = Units.MiB,
            RequestAlignBytes = 1,
            BufferAlignBytes = 1,
            InFlightMax = 4,
        };

    public uint InFlightCount => 0;

    public bool ReadsAsZero => false;

    public void Submit(in BlockRequest request) => Check.Fail("nobody asks for " + request.Operation);

    public void Promote(IBlockOwner owner, ulong userData) => Check.Fail("nothing waits");

    public void Dispose() { }
}
