// A request to a new image on its way.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class NewImageSlot
{
    public BlockRequest Request;

    /// <summary>Requests below, and one while more are being handed out.</summary>
    public uint PendingCount;

    public Fault Fault;

    /// <summary>Of a write: what was given to be packed.</summary>
    public ulong PackedBytes;
}
