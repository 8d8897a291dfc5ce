// What lies where in a file or device: runs of data, zeroes and holes, and which layer says so. In the layout in which
// ports and devices fill them into a caller's buffer.
namespace FastBackup.Ports;

public enum ExtentKind : uint
{
    Data = 0,

    /// <summary>Unallocated in every layer; reads as zeroes.</summary>
    Hole = 1,

    /// <summary>A layer says that it reads as zeroes, whatever lies below; it may be allocated.</summary>
    Zero = 2,
}

/// <summary>One run of a device's allocation map, as a Map fills it in: 24 bytes.</summary>
public struct MapEntry
{
    public ulong OffsetBytes;
    public ulong LengthBytes;
    public ExtentKind Kind;

    /// <summary>
    /// Layers above the one that says so, in which it is unallocated: 0 is the device's own, 1 what it is based on.
    /// Of a Hole 0. Always 0 of a device that is based on nothing.
    /// </summary>
    public uint Depth;

    public readonly bool ReadsAsZero => Kind != ExtentKind.Data;
}
