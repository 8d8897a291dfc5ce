// The structs of the header's sections 4 and 5: engines and queues. SizeFirst is the size in the first release.
// SAFETY: pointers in here are the host's; they are used during the call, or as the header says.
namespace FastBackup.Native.Structs;

/// <summary>fb_engine_options.</summary>
public struct EngineOptionsStruct
{
    public const uint SizeFirst = 24;

    public uint StructSize;
    public uint Flags;
    public ulong BufferBytes;
    public uint ChunkBytes;
    public uint IoDepth;
}

/// <summary>fb_engine_state.</summary>
public struct EngineStateStruct
{
    public const uint SizeFirst = 40;

    public uint StructSize;
    public uint Flags;
    public ulong BufferBytes;
    public ulong BufferFreeBytes;
    public uint WarningCount;
    public uint ChildCount;
    public ulong HeapBytes;
}

/// <summary>fb_completion.</summary>
public struct Completion
{
    public const uint SizeFirst = 40;

    public ulong UserToken;
    public int Status;
    public int SysErrno;
    public ulong Offset;
    public ulong Bytes;
    public uint Kind;
    public uint Reserved;
}

/// <summary>FB_COMPLETION_*.</summary>
static class CompletionKind
{
    public const uint WriteGrant = 1;
    public const uint DiskIo = 2;
    public const uint DiskChange = 3;
    public const uint Job = 4;
    public const uint SnapshotIo = 5;
    public const uint ReadOffer = 6;
}

/// <summary>fb_callback.</summary>
public unsafe struct CallbackStruct
{
    public const uint SizeFirst = 32;

    public uint StructSize;
    public uint Flags;
    public void* Context;
    public delegate* unmanaged[Cdecl]<void*, Completion*, void> Call;
    public delegate* unmanaged[Cdecl]<void*, void> Release;
}

/// <summary>fb_log_sink.</summary>
public unsafe struct LogSinkStruct
{
    public const uint SizeFirst = 40;

    public uint StructSize;
    public uint Flags;
    public uint LevelMax;
    public uint Reserved;
    public void* Context;
    public delegate* unmanaged[Cdecl]<void*, uint, byte*, uint, void> Write;
    public delegate* unmanaged[Cdecl]<void*, void> Release;
}

/// <summary>fb_event.</summary>
public struct EventStruct
{
    public const uint SizeFirst = 48;

    public ulong Sequence;
    public ulong Job;
    public uint Kind;
    public uint Value;
    public int Status;
    public int SysErrno;
    public ulong Offset;
    public uint Flags;
    public uint Reserved;
}
