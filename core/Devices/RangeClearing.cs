// How zeroes are made and ranges given up: by the file system where it can, else by writing. A method that is refused
// is not tried again, but for a refusal of one range, which is for that once.
using FastBackup.Ports;

namespace FastBackup.Devices;

/// <summary>Threads: the loop's.</summary>
sealed class RangeClearing
{
    bool _canPunch = true;
    bool _canZeroRange = true;
    bool _canDiscard = true;

    /// <summary>Of a write of zeroes, or a discard.</summary>
    public FileStep FirstStep(in BlockRequest request)
    {
        if (request.Operation == BlockOperation.Discard)
            return _canDiscard ? FileStep.Clear : FileStep.Finished;
        return MayPunch(request) || _canZeroRange ? FileStep.Clear : FileStep.ZeroByWriting;
    }

    public FileOperation OperationOf(in BlockRequest request)
    {
        if (request.Operation == BlockOperation.Discard)
            return FileOperation.Discard;
        return MayPunch(request) ? FileOperation.Punch : FileOperation.ZeroRange;
    }

    /// <summary>What follows on a refusal.</summary>
    /// <param name="slot">Whose request.</param>
    /// <param name="isOnce">Of this range only, or for now; else it is the file system's last word.</param>
    /// <returns>Clear in another way, ZeroByWriting, or Finished: a hint that this device does not take.</returns>
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
        return !wasZeroRange && _canZeroRange && !isOnce ? FileStep.Clear : FileStep.ZeroByWriting;
    }

    bool MayPunch(in BlockRequest request) => _canPunch && (request.Flags & BlockFlags.MayUnmap) != 0;
}
