// What a qcow2 device is made of, all open: given by who opens it, owned by the device from then on. Header and L1
// table change when the disk becomes larger (Qcow2Growth); nothing else does.
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's, once the device is made; the header may be read by any.</summary>
public sealed class Qcow2Parts
{
    volatile Qcow2Header _header = null!;
    NativeArray<ulong> _l1 = null!;

    /// <summary>With the tables.</summary>
    public required IBlockDevice File { get; init; }

    /// <summary>Of the file.</summary>
    public required Qcow2Header Header
    {
        get => _header;
        init => _header = value;
    }

    /// <summary>The L1 table, big endian as in the file: as many entries as the disk needs.</summary>
    public required NativeArray<ulong> L1
    {
        get => _l1;
        init => _l1 = value;
    }

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

    /// <summary>The header says something else, in the file or soon.</summary>
    internal void SetHeader(Qcow2Header header) => _header = header;

    /// <summary>A longer table, which has what the other had.</summary>
    internal void SetL1(NativeArray<ulong> table)
    {
        _l1.Dispose();
        _l1 = table;
    }
}
