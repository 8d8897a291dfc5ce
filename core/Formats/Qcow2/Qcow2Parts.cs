// What a qcow2 device is made of, all open: given by who opens it, owned by the device from then on.
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Formats.Qcow2;

/// <summary>Immutable.</summary>
public sealed class Qcow2Parts
{
    /// <summary>With the tables.</summary>
    public required IBlockDevice File { get; init; }

    /// <summary>Of the file.</summary>
    public required Qcow2Header Header { get; init; }

    /// <summary>The L1 table, big endian as in the file: as many entries as the disk needs.</summary>
    public required NativeArray<ulong> L1 { get; init; }

    /// <summary>With guest data; null: the file has that, too.</summary>
    public IBlockDevice? DataFile { get; init; }

    /// <summary>What the image is based on; null: zeroes.</summary>
    public IBlockDevice? Backing { get; init; }

    /// <summary>What it is written by; null: it is only read.</summary>
    public WritableParts? Writable { get; init; }

    /// <summary>Unpacks compressed clusters; null: the loop does.</summary>
    public WorkCrew? Crew { get; init; }

    /// <summary>The crew ends with this device; else it is that of the image above.</summary>
    public bool OwnsCrew { get; init; }
}
