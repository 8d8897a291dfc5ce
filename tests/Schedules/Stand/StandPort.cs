// A port without files, for runs that look at wake-ups only: what a port must answer and nobody asks here.
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Tests.Schedules.Stand;

abstract class StandPort : IFileIo
{
    public abstract string Name { get; }

    public virtual bool NeedsPoll => false;

    public uint InFlightCount => 0;

    public bool TryPush(in FileCommand command) => false;

    public abstract uint Poll(ulong waitNs);

    public abstract void Wake();

    public void Watch(int fd) => Check.Fail("nothing real is waited for here");

    public Fault RegisterMemory(AlignedRegion region) => Fault.None;

    public void UnregisterMemory(AlignedRegion region) { }

    public void Abandon() { }

    public void UnregisterFile(FileHandle file) { }

    public void Dispose() { }
}
