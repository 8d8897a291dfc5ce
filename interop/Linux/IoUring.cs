// io_uring's kernel interface: structures, numbers and the three system calls. Declarations only.
// Source: linux/io_uring.h (Linux 6.12), io_uring_setup(2), io_uring_enter(2), io_uring_register(2).
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>Submission queue entry, 64 bytes; only the members used here have names.</summary>
[StructLayout(LayoutKind.Explicit, Size = 64)]
public struct IoUringSqe
{
    [FieldOffset(0)]
    public byte Opcode;

    /// <summary>IOSQE_* bits.</summary>
    [FieldOffset(1)]
    public byte Flags;

    [FieldOffset(2)]
    public ushort IoPriority;

    /// <summary>File descriptor, or the registered index with IOSQE_FIXED_FILE.</summary>
    [FieldOffset(4)]
    public int Fd;

    [FieldOffset(8)]
    public ulong Offset;

    /// <summary>Buffer address; for FALLOCATE the length.</summary>
    [FieldOffset(16)]
    public ulong Address;

    /// <summary>Buffer length; for FALLOCATE the mode.</summary>
    [FieldOffset(24)]
    public uint Length;

    /// <summary>rw_flags, fsync_flags and their like, by opcode.</summary>
    [FieldOffset(28)]
    public uint OperationFlags;

    [FieldOffset(32)]
    public ulong UserData;

    [FieldOffset(40)]
    public ushort BufferIndex;

    [FieldOffset(42)]
    public ushort Personality;

    [FieldOffset(44)]
    public int SpliceFdIn;

    [FieldOffset(48)]
    public ulong Address3;

    [FieldOffset(56)]
    public ulong Pad;
}

/// <summary>Completion queue entry, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoUringCqe
{
    public ulong UserData;

    /// <summary>Result, or a negative error number.</summary>
    public int Result;
    public uint Flags;
}

[StructLayout(LayoutKind.Sequential)]
public struct IoSqRingOffsets
{
    public uint Head;
    public uint Tail;
    public uint RingMask;
    public uint RingEntries;
    public uint Flags;
    public uint Dropped;
    public uint Array;
    public uint Reserved1;
    public ulong UserAddress;
}

[StructLayout(LayoutKind.Sequential)]
public struct IoCqRingOffsets
{
    public uint Head;
    public uint Tail;
    public uint RingMask;
    public uint RingEntries;
    public uint Overflow;
    public uint Cqes;
    public uint Flags;
    public uint Reserved1;
    public ulong UserAddress;
}

/// <summary>io_uring_params, 120 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoUringParams
{
    public uint SqEntries;
    public uint CqEntries;
    public uint Flags;
    public uint SqThreadCpu;
    public uint SqThreadIdle;
    public uint Features;
    public uint WqFd;
    public uint Reserved0;
    public uint Reserved1;
    public uint Reserved2;
    public IoSqRingOffsets SqOffsets;
    public IoCqRingOffsets CqOffsets;
}

/// <summary>io_uring_getevents_arg: a signal mask and a timeout for one wait.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoUringGetEventsArg
{
    public ulong SignalMask;
    public uint SignalMaskSize;
    public uint MinWaitUs;

    /// <summary>Address of a <see cref="KernelTimespec"/>, or 0.</summary>
    public ulong Timespec;
}

[StructLayout(LayoutKind.Sequential)]
public struct KernelTimespec
{
    public long Seconds;
    public long Nanoseconds;
}

/// <summary>io_uring_rsrc_register, 32 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoUringRsrcRegister
{
    public uint Count;
    public uint Flags;
    public ulong Reserved;
    public ulong Data;
    public ulong Tags;
}

/// <summary>io_uring_rsrc_update2, 32 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoUringRsrcUpdate2
{
    public uint Offset;
    public uint Reserved;
    public ulong Data;
    public ulong Tags;
    public uint Count;
    public uint Reserved2;
}

/// <summary>io_uring_files_update, 16 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoUringFilesUpdate
{
    public uint Offset;
    public uint Reserved;
    public ulong Fds;
}

[StructLayout(LayoutKind.Sequential)]
public struct IoUringProbeOp
{
    public byte Op;
    public byte Reserved;
    public ushort Flags;
    public uint Reserved2;
}

[StructLayout(LayoutKind.Sequential)]
public struct IoVec
{
    public nint Base;
    public nuint LengthBytes;
}

public static unsafe partial class IoUring
{
    public const byte IORING_OP_NOP = 0;
    public const byte IORING_OP_FSYNC = 3;
    public const byte IORING_OP_READ_FIXED = 4;
    public const byte IORING_OP_WRITE_FIXED = 5;
    public const byte IORING_OP_POLL_ADD = 6;
    public const byte IORING_OP_ASYNC_CANCEL = 14;
    public const byte IORING_OP_FALLOCATE = 17;
    public const byte IORING_OP_READ = 22;
    public const byte IORING_OP_WRITE = 23;

    public const byte IOSQE_FIXED_FILE = 1 << 0;
    public const byte IOSQE_ASYNC = 1 << 4;

    public const uint IORING_SETUP_CQSIZE = 1u << 3;
    public const uint IORING_SETUP_CLAMP = 1u << 4;
    public const uint IORING_SETUP_R_DISABLED = 1u << 6;
    public const uint IORING_SETUP_SUBMIT_ALL = 1u << 7;
    public const uint IORING_SETUP_COOP_TASKRUN = 1u << 8;
    public const uint IORING_SETUP_SINGLE_ISSUER = 1u << 12;
    public const uint IORING_SETUP_DEFER_TASKRUN = 1u << 13;

    public const uint IORING_FEAT_SINGLE_MMAP = 1u << 0;
    public const uint IORING_FEAT_NODROP = 1u << 1;
    public const uint IORING_FEAT_EXT_ARG = 1u << 8;

    public const uint IORING_ENTER_GETEVENTS = 1u << 0;
    public const uint IORING_ENTER_EXT_ARG = 1u << 3;

    public const uint IORING_REGISTER_FILES = 2;
    public const uint IORING_REGISTER_FILES_UPDATE = 6;
    public const uint IORING_REGISTER_PROBE = 8;
    public const uint IORING_REGISTER_ENABLE_RINGS = 12;
    public const uint IORING_REGISTER_BUFFERS2 = 15;
    public const uint IORING_REGISTER_BUFFERS_UPDATE = 16;
    public const uint IORING_REGISTER_IOWQ_MAX_WORKERS = 19;

    public const uint IORING_RSRC_REGISTER_SPARSE = 1u << 0;
    public const ushort IO_URING_OP_SUPPORTED = 1 << 0;
    public const uint IORING_FSYNC_DATASYNC = 1u << 0;

    public const long IORING_OFF_SQ_RING = 0;
    public const long IORING_OFF_CQ_RING = 0x8000000;
    public const long IORING_OFF_SQES = 0x10000000;

    const string Library = "libc";
    const long SetupNumber = 425;
    const long EnterNumber = 426;
    const long RegisterNumber = 427;

    public static int Setup(uint entries, IoUringParams* parameters) =>
        (int)SetupCall(SetupNumber, entries, parameters);

    public static int Enter(int fd, uint toSubmit, uint minComplete, uint flags, void* argument, nuint argumentBytes) =>
        (int)EnterCall(EnterNumber, fd, toSubmit, minComplete, flags, argument, argumentBytes);

    public static int Register(int fd, uint opcode, void* argument, uint count) =>
        (int)RegisterCall(RegisterNumber, fd, opcode, argument, count);

    // syscall(2) is variadic in C; with integer arguments only, both ABIs pass them like a plain call.
    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial long SetupCall(long number, uint entries, IoUringParams* parameters);

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial long EnterCall(
        long number,
        int fd,
        uint toSubmit,
        uint minComplete,
        uint flags,
        void* argument,
        nuint argumentBytes
    );

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial long RegisterCall(long number, int fd, uint opcode, void* argument, uint count);
}
