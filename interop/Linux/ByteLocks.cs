// Locks on byte ranges that belong to an open file description, not to a process: they go with its last descriptor.
// Source: fcntl_locking(2), open file description locks.
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>struct flock of 64-bit systems, 32 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 32)]
public struct ByteLock
{
    [FieldOffset(0)]
    public short Type;

    /// <summary>SEEK_SET: from the start.</summary>
    [FieldOffset(2)]
    public short Whence;

    [FieldOffset(8)]
    public long OffsetBytes;

    [FieldOffset(16)]
    public long LengthBytes;

    /// <summary>0 in a request; -1 comes back for a lock of this kind.</summary>
    [FieldOffset(24)]
    public int ProcessId;
}

public static unsafe partial class ByteLocks
{
    public const int F_OFD_GETLK = 36;
    public const int F_OFD_SETLK = 37;

    public const short F_RDLCK = 0;
    public const short F_WRLCK = 1;
    public const short F_UNLCK = 2;

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    public static partial int Fcntl(int fd, int command, ByteLock* argument);
}
