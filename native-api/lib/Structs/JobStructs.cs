// The structs of the header's section 9: jobs. SizeFirst is the size in the first release.
// SAFETY: pointers in here are the host's; they are used during the call.
namespace FastBackup.Native.Structs;

/// <summary>fb_backup_options.</summary>
public unsafe struct BackupOptionsStruct
{
    public const uint SizeFirst = 72;

    public uint StructSize;
    public uint Flags;
    public uint Sync;
    public uint BitmapMode;
    public ulong Bitmap;
    public ulong Speed;
    public uint ClusterBytes;
    public uint TaskMax;
    public uint OnSourceError;
    public uint OnTargetError;
    public uint OnCbwError;
    public uint CbwTimeoutMs;
    public byte* Id;
    public uint IdLength;
    public uint Reserved;
    public ulong CaptureBytesMax;
    public ulong ScratchBytesMax;
    public ulong Scratch;
    public uint GuestPriority;
    public uint Reserved2;
}

/// <summary>fb_job_state.</summary>
public struct JobStateStruct
{
    public const uint SizeFirst = 88;

    public uint StructSize;
    public uint Flags;
    public uint State;
    public int Status;
    public int SysErrno;
    public int PausedBy;
    public ulong Offset;
    public ulong TotalBytes;
    public ulong DoneBytes;
    public ulong WrittenBytes;
    public ulong SkippedZeroBytes;
    public ulong WrittenZeroBytes;
    public ulong CbwBytes;
    public ulong InFlightBytes;
}

/// <summary>fb_latency_summary.</summary>
public struct LatencySummaryStruct
{
    public ulong Count;
    public ulong SumNs;
    public ulong P50Ns;
    public ulong P99Ns;
    public ulong MaxNs;
}

/// <summary>fb_statistics.</summary>
public struct StatisticsStruct
{
    public const uint SizeFirst = 240;

    public uint StructSize;
    public uint Flags;
    public ulong WindowBytes;
    public ulong ChunkBytes;
    public ulong DeviceBytes;
    public ulong CaptureBytes;
    public ulong CapturePeakBytes;
    public ulong CaptureLimitBytes;
    public ulong ScratchBytes;
    public ulong ScratchLimitBytes;
    public ulong SpilledBytes;
    public ulong OfferedBytes;
    public uint BackgroundChunks;
    public uint GuestReads;
    public uint CapturedChunks;
    public uint SnapshotReads;
    public uint WaitingGuests;
    public uint GuestPriority;
    public int ScratchStatus;
    public int ScratchErrno;
    public LatencySummaryStruct GuestWaits;
    public LatencySummaryStruct QuietGuests;
    public LatencySummaryStruct LoadedGuests;
}

/// <summary>fb_latency.</summary>
public struct LatencyStruct
{
    public const uint SizeFirst = 64;

    public uint StructSize;
    public uint Flags;
    public ulong Count;
    public ulong SumNs;
    public ulong MaxNs;
    public ulong P50Ns;
    public ulong P90Ns;
    public ulong P99Ns;
    public ulong P999Ns;
}
