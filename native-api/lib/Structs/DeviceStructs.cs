// The structs of the header's section 6: devices. SizeFirst is the size in the first release.
// SAFETY: pointers in here are the host's; they are used during the call, or as the header says.
namespace FastBackup.Native.Structs;

/// <summary>fb_device_options.</summary>
public unsafe struct DeviceOptionsStruct
{
    public const uint SizeFirst = 32;

    public uint StructSize;
    public uint Flags;
    public byte* Path;
    public uint PathLength;
    public uint InFlightMax;
    public ulong CreateBytes;
}

/// <summary>fb_device_state.</summary>
public struct DeviceStateStruct
{
    public const uint SizeFirst = 32;

    public uint StructSize;
    public uint Flags;
    public ulong CapacityBytes;
    public uint RequestAlign;
    public uint BufferAlign;
    public uint InFlightCount;
    public uint InFlightMax;
}

/// <summary>fb_io_request.</summary>
public unsafe struct IoRequestStruct
{
    public ulong Token;
    public ulong Offset;
    public ulong Length;
    public void* Buffer;
    public uint Operation;
    public uint Flags;
}

/// <summary>fb_device_ops.</summary>
public unsafe struct DeviceOpsStruct
{
    public const uint SizeFirst = 56;

    public uint StructSize;
    public uint Flags;
    public ulong CapacityBytes;
    public uint RequestAlign;
    public uint InFlightMax;
    public ulong Queue;
    public void* Context;
    public delegate* unmanaged[Cdecl]<void*, IoRequestStruct*, int> Submit;
    public delegate* unmanaged[Cdecl]<void*, void> Release;
}
