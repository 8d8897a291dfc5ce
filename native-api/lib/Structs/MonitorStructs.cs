// The struct of the header's section 11: monitors. SizeFirst is the size in the first release.
// SAFETY: pointers in here are the host's; they are used during the call.
namespace FastBackup.Native.Structs;

/// <summary>fb_monitor_options.</summary>
public unsafe struct MonitorOptionsStruct
{
    public const uint SizeFirst = 24;

    public uint StructSize;
    public uint Flags;
    public byte* Path;
    public uint PathLength;
    public uint Reserved;
}
