// A request of an image that the library has.
namespace FastBackup.Devices.Rbd;

/// <summary>Threads: the loop's.</summary>
sealed class RbdSlot
{
    public BlockRequest Request;

    /// <summary>Of a long range, what is done.</summary>
    public ulong DoneBytes;

    /// <summary>What the library was asked for last.</summary>
    public ulong PartBytes;

    /// <summary>A write that is to be durable: its flush is under way.</summary>
    public bool IsFlushing;
}
