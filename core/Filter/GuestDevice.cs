// Device mode: requests of guests that the engine carries out at the disk's device. It takes a half of what the device
// accepts at once: the rest is for jobs and snapshot readers.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
sealed class GuestDevice(IIoLoop loop, Disk disk, GuestQueue queue, uint slotCount, Absorption? absorption)
    : IBlockOwner
{
    readonly uint _countMax = Math.Max(1, disk.Device.Limits.InFlightMax / 2);

    /// <summary>Requests that the device has not answered.</summary>
    public uint Count { get; private set; }

    /// <summary>Looks at writes before a point in time; null: nobody does.</summary>
    public WarmSet? Warm { get; private set; }

    /// <summary>Begins to look at writes, unless somebody does already.</summary>
    /// <param name="capture">Of the point in time.</param>
    /// <returns>Null: somebody does.</returns>
    public WarmSet? TryWarm(BlockCapture capture)
    {
        if (Warm != null)
            return null;
        List<GuestSlot> underWay = new((int)slotCount);
        for (uint i = 0; i < slotCount; i++)
            if (queue.At(i) is { Step: GuestSlot.Phase.AtDevice, IsWrite: true } slot)
                underWay.Add(slot);
        return Warm = new WarmSet(disk, capture, underWay);
    }

    /// <summary>Nobody looks any more.</summary>
    public void EndWarm(WarmSet warm)
    {
        Check.That(ReferenceEquals(Warm, warm));
        Warm = null;
    }

    public bool HasRoom => Count < _countMax;

    /// <param name="slot">Waits for nothing any more; a write is counted in flight.</param>
    /// <param name="nowNs">Of the loop's clock.</param>
    public void Submit(GuestSlot slot, ulong nowNs)
    {
        slot.Step = GuestSlot.Phase.AtDevice;
        slot.Epoch = disk.ReadEpoch;
        slot.SubmittedNs = nowNs;
        Count++;
        if (slot.IsWrite)
            Warm?.OnSubmit(slot);
        BlockRequest request = default;
        request.Operation = slot.Request.Operation;
        request.Flags = slot.Request.Flags;
        request.OffsetBytes = slot.Request.OffsetBytes;
        request.LengthBytes = slot.Request.LengthBytes;
        request.Buffer = slot.Request.Buffer;
        request.Owner = this;
        request.UserData = slot.Index;
        disk.Device.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        GuestSlot slot = queue.At(userData);
        Fault fault = result.Fault;
        Check.That(slot.Step == GuestSlot.Phase.AtDevice);
        Count--;
        queue.SchedulePump(); // others may wait for room at the device, or for this one's pages
        if (slot.IsWrite)
            Warm?.OnEnd(slot, fault);
        if (slot.IsWrite)
            disk.EndWrite();
        if (slot.IsAbsorbed)
        {
            if (absorption!.IsAwaited(slot))
                disk.Pulse.SampleAwaited(slot.Request.LengthBytes, slot.ArrivedNs, slot.SubmittedNs, loop.Clock.NowNs);
            queue.EndAbsorbed(slot, fault);
            return;
        }
        ulong nowNs = loop.Clock.NowNs;
        bool isTransfer = slot.Request.Operation is BlockOperation.Read or BlockOperation.Write;
        if (isTransfer && fault.IsNone)
            disk.Pulse.Sample(
                slot.Request.Operation == BlockOperation.Write,
                slot.Request.LengthBytes,
                slot.ArrivedNs,
                slot.SubmittedNs,
                nowNs,
                slot.WasQuiet
            );
        if (slot.Request.Operation == BlockOperation.Read && fault.IsNone && slot.Request.LengthBytes > 0)
            disk.OfferToWatchers(slot.Request, slot.Epoch);
        queue.Complete(slot, fault, nowNs);
    }
}
