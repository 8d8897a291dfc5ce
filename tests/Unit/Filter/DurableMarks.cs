// A tracker in small: a write waits until the mark of its region is durable, which takes a while; every later write to
// the region passes at once.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Ports;

namespace FastBackup.Tests.Unit.Filter;

sealed class DurableMarks(IIoLoop loop, Disk disk, ulong regionBytes, ulong markNs) : IWriteWatcher, ILoopTask
{
    const int None = 0;
    const int Putting = 1;
    const int Durable = 2;

    readonly int[] _marks = new int[(int)Units.DivCeil(disk.CapacityBytes, regionBytes)];
    int _isOver;

    public uint PutCount { get; private set; }

    public uint WaitedCount { get; private set; }

    public ulong Epoch => 0;

    public bool TakesGuestReads => false;

    public bool Protects(in Extent extent)
    {
        bool isMissing = false;
        for (ulong at = extent.OffsetBytes / regionBytes; at * regionBytes < extent.EndBytes; at++)
            isMissing |= Volatile.Read(ref _marks[at]) != Durable;
        return isMissing && !extent.IsEmpty && Volatile.Read(ref _isOver) == 0;
    }

    public bool TryClear(in Extent extent)
    {
        for (ulong at = extent.OffsetBytes / regionBytes; at * regionBytes < extent.EndBytes; at++)
            if (_marks[at] == None)
            {
                _marks[at] = Putting;
                PutCount++;
                _ = loop.StartTimer(loop.Clock.NowNs + markNs, this, at);
            }
        return !Protects(extent);
    }

    void ILoopTask.Run(ulong argument)
    {
        Volatile.Write(ref _marks[argument], Durable);
        disk.SchedulePump();
    }

    public ulong WaitDeadlineNs(ulong arrivedNs) => ulong.MaxValue;

    public bool FailGuest(Fault fault) => false;

    public void OnWaited(ulong waitedNs) => WaitedCount++;

    public void GiveUp(Fault fault) => Volatile.Write(ref _isOver, 1);

    public void Offer(in Extent extent, ReadOnlySpan<byte> bytes) { }
}
