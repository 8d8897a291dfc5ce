// Device mode: requests of guests that the engine carries out at the disk's device. It takes a half of what the device
// accepts at once: the rest is for jobs and snapshot readers.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Pacing;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
sealed class GuestDevice(IIoLoop loop, Disk disk, GuestQueue queue, uint slotCount, Absorption? absorption)
    : IBlockOwner
{
    readonly uint _countMax = Math.Max(1, disk.Device.Limits.InFlightMax / 2);
    readonly GuestSlotList _unanswered = new(); // writes at the device whose guests wait; only beside an absorption

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

    /// <summary>A write to a part of the range is at the device whose guest has not been told.</summary>
    public bool IsWritingUnanswered(in Extent extent)
    {
        for (GuestSlot? slot = _unanswered.First; slot != null; slot = slot.Next)
            if (slot.Extent.Overlaps(extent))
                return true;
        return false;
    }

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
        if (KeepsUnanswered(slot))
            _unanswered.Append(slot);
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
        if (KeepsUnanswered(slot))
            _unanswered.Remove(slot);
        ulong nowNs = loop.Clock.NowNs;
        if (slot.IsAbsorbed)
        {
            if (fault.IsNone)
                SampleLanded(slot, nowNs);
            queue.EndAbsorbed(slot, fault);
            return;
        }
        if (fault.IsNone)
            Sample(slot, nowNs);
        if (slot.Request.Operation == BlockOperation.Read && fault.IsNone && slot.Request.LengthBytes > 0)
            disk.OfferToWatchers(slot.Request, slot.Epoch);
        queue.Complete(slot, fault, nowNs);
    }

    /// <summary>Tells those who adapt to guests; discards and zeroes compare with nothing.</summary>
    void Sample(GuestSlot slot, ulong nowNs)
    {
        BlockOperation operation = slot.Request.Operation;
        GuestClass kind;
        if (operation == BlockOperation.Flush)
            kind = GuestClass.Flush;
        else if (operation is BlockOperation.Read or BlockOperation.Write)
            kind = GuestPulse.ClassOf(operation == BlockOperation.Write, slot.Request.LengthBytes);
        else
            return;
        disk.Pulse.Sample(kind, slot.ArrivedNs, slot.SubmittedNs, nowNs, slot.WasQuiet);
    }

    void SampleLanded(GuestSlot slot, ulong nowNs)
    {
        GuestClass kind = GuestPulse.ClassOf(isWrite: true, slot.Request.LengthBytes);
        (ulong arrivedNs, ulong submittedNs) = (slot.ArrivedNs, slot.SubmittedNs);
        disk.Pulse.SampleLanded(kind, arrivedNs, slot.AnsweredNs, submittedNs, nowNs, slot.WasQuiet);
        if (absorption!.IsAwaited(slot))
            disk.Pulse.SampleAwaited(kind, arrivedNs, submittedNs, nowNs);
    }

    /// <summary>The same from submission to completion: nobody is told in between.</summary>
    bool KeepsUnanswered(GuestSlot slot) => absorption != null && slot is { IsWrite: true, IsAbsorbed: false };
}
