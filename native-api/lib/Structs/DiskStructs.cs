// The structs of the header's sections 7 and 8: bitmaps and disks. SizeFirst is the size in the first release.
// SAFETY: pointers in here are the host's; they are used during the call.
namespace FastBackup.Native.Structs;

/// <summary>fb_bitmap_options.</summary>
public struct BitmapOptionsStruct
{
    public const uint SizeFirst = 32;

    public uint StructSize;
    public uint Flags;
    public ulong SizeBytes;
    public ulong SizeMaxBytes;
    public ulong GranularityBytes;
}

/// <summary>fb_bitmap_state.</summary>
public struct BitmapStateStruct
{
    public const uint SizeFirst = 48;

    public uint StructSize;
    public uint Flags;
    public ulong SizeBytes;
    public ulong GranularityBytes;
    public ulong GranuleCount;
    public ulong DirtyGranules;
    public ulong DirtyBytes;
}

/// <summary>fb_extent.</summary>
public struct ExtentStruct
{
    public ulong Offset;
    public ulong Length;
}

/// <summary>fb_disk_options.</summary>
public unsafe struct DiskOptionsStruct
{
    public const uint SizeFirst = 24;

    public uint StructSize;
    public uint Flags;
    public byte* Name;
    public uint NameLength;
    public uint WaitingMax;
}

/// <summary>fb_disk_state.</summary>
public struct DiskStateStruct
{
    public const uint SizeFirst = 40;

    public uint StructSize;
    public uint Flags;
    public ulong CapacityBytes;
    public long WritesInFlight;
    public uint WaitingCount;
    public uint BitmapCount;
    public uint JobCount;
    public uint Reserved;
}
