// What a guest asks of a disk, how that was taken, and whom to tell of the end.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Filter;

public interface IGuestOwner
{
    /// <summary>
    /// Called exactly once per request that was accepted, on the reactor's thread. Hook mode: the write may
    /// land now (None) or must be failed (a fault); device mode: the request is done.
    /// </summary>
    void OnGuestCompleted(ulong userData, Fault fault);
}

/// <summary>How a guest's request was taken.</summary>
public enum Grant : byte
{
    /// <summary>Hook mode: write now, then call EndWrite; no completion comes.</summary>
    Granted,

    /// <summary>One completion will come.</summary>
    Pending,

    /// <summary>Refused with the fault given; no completion comes and nothing was recorded.</summary>
    Refused,
}

/// <summary>One request of a guest in device mode.</summary>
public struct GuestRequest
{
    public BlockOperation Operation;
    public BlockFlags Flags;
    public ulong OffsetBytes;
    public ulong LengthBytes;

    /// <summary>The guest's memory, until the completion.</summary>
    public nint Buffer;
    public IGuestOwner Owner;
    public ulong UserData;
}
