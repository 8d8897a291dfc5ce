// How zeroes are made and ranges given up: by the file system where it can, else by writing. A method that is refused
// is not tried again, but for a refusal of one range, which is for that once. Whoever wants zeroes only if they are
// fast is refused where they would be written: here, or by the kernel for a block device that has no command for them.
// Source: Linux block/fops.c blkdev_fallocate: a punch never falls back to writing, a zero range does.
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Devices;

/// <summary>Threads: the loop's.</summary>
/// <param name="isRangeWritten">Zeroing without deallocating may be done by writing, where nobody sees it.</param>
sealed class RangeClearing(bool isRangeWritten)
{
    bool _canPunch = true;
    bool _canZeroRange = true;
    bool _canDiscard = true;

    /// <summary>Of a write of zeroes, or a discard.</summary>
    /// <param name="request">Which.</param>
    /// <param name="refusal">Stays as it is, or becomes why it cannot be as fast as is asked for.</param>
    public FileStep FirstStep(in BlockRequest request, ref Fault refusal)
    {
        if (request.Operation == BlockOperation.Discard)
            return _canDiscard ? FileStep.Clear : FileStep.Finished;
        if (MayPunch(request) || MayZeroRange(request))
            return FileStep.Clear;
        if (refusal.IsNone)
            refusal = RefusalOf(request);
        return FileStep.ZeroByWriting;
    }

    /// <summary>What a request ends with that could not be carried out without writing.</summary>
    public static Fault RefusalOf(in BlockRequest request) =>
        IsFastOnly(request) ? new Fault(FaultKind.Unsupported, Errnos.EOPNOTSUPP, request.OffsetBytes) : Fault.None;

    public FileOperation OperationOf(in BlockRequest request)
    {
        if (request.Operation == BlockOperation.Discard)
            return FileOperation.Discard;
        return MayPunch(request) ? FileOperation.Punch : FileOperation.ZeroRange;
    }

    /// <summary>What follows on a refusal.</summary>
    /// <param name="slot">Whose request.</param>
    /// <param name="isOnce">Of this range only, or for now; else it is the file system's last word.</param>
    /// <returns>Clear in another way, ZeroByWriting, or Finished: a hint that this device does not take, or zeroes that
    /// would not be fast.</returns>
    public FileStep AfterRefusal(FileSlot slot, bool isOnce)
    {
        if (slot.Request.Operation == BlockOperation.Discard)
        {
            _canDiscard &= isOnce;
            return FileStep.Finished;
        }
        bool wasZeroRange = slot.ClearOperation == FileOperation.ZeroRange;
        if (!isOnce && wasZeroRange)
            _canZeroRange = false;
        else if (!isOnce)
            _canPunch = false;
        if (!wasZeroRange && !isOnce && MayZeroRange(slot.Request))
            return FileStep.Clear;
        return IsFastOnly(slot.Request) ? FileStep.Finished : FileStep.ZeroByWriting;
    }

    static bool IsFastOnly(in BlockRequest request) =>
        request.Operation == BlockOperation.WriteZeroes && (request.Flags & BlockFlags.FastOnly) != 0;

    bool MayZeroRange(in BlockRequest request) => _canZeroRange && !(isRangeWritten && IsFastOnly(request));

    bool MayPunch(in BlockRequest request) => _canPunch && (request.Flags & BlockFlags.MayUnmap) != 0;
}
