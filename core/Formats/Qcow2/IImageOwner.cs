// What the parts that read and write an image need from its device.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
interface IImageOwner : IWaitOwner
{
    /// <summary>Of the next request that begins: later ones have higher ones.</summary>
    ulong NextSerial { get; }

    /// <summary>Of the oldest request that reads or writes what the tables name.</summary>
    ulong OldestSerial { get; }

    /// <summary>Tables could not be written: from here on nothing is.</summary>
    void OnMetadataFault(Fault fault);

    /// <summary>Nothing may be under way of what no request waits for.</summary>
    void OnQuiet();

    /// <summary>Something that counted as pending for the slot has ended.</summary>
    void OnEnded(Qcow2Slot slot, Fault fault);

    /// <summary>The slot's request meets what no writer makes.</summary>
    void Fail(Qcow2Slot slot, string because);

    /// <summary>The slot goes on in another turn.</summary>
    void Yield(Qcow2Slot slot);

    /// <summary>Of the disk, as its guest knows it.</summary>
    ulong DiskBytes { get; }

    /// <summary>That the file with guest data has, as far as it is known to reach.</summary>
    ulong DataFileBytes { get; }

    /// <summary>Begins a request of a slot at what is below: it counts as pending.</summary>
    void Send(Qcow2Slot slot, IBlockDevice device, BlockRequest request);

    /// <summary>Reads what the disk holds, for a change of a cluster.</summary>
    /// <param name="offsetBytes">Of the disk.</param>
    /// <param name="lengthBytes">At most a cluster.</param>
    /// <param name="buffer">Filled in.</param>
    /// <param name="lane">Of who waits.</param>
    /// <param name="owner">Told, never at once.</param>
    void ReadDisk(ulong offsetBytes, ulong lengthBytes, nint buffer, IoLane lane, ClusterChange owner);
}
