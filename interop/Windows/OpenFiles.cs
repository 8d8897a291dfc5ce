// Reads, writes and what is asked of open files. Declarations only: no retries, no policy.
// Source: fileapi.h, ioapiset.h, winioctl.h, winbase.h.
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Windows;

public static unsafe partial class OpenFiles
{
    const string Library = "kernel32";

    public const uint FSCTL_SET_SPARSE = 0x900C4;
    public const uint FSCTL_SET_ZERO_DATA = 0x980C8;
    public const uint FSCTL_QUERY_ALLOCATED_RANGES = 0x940CF;
    public const uint FSCTL_LOCK_VOLUME = 0x90018;
    public const uint FSCTL_DISMOUNT_VOLUME = 0x90020;
    public const uint FSCTL_ALLOW_EXTENDED_DASD_IO = 0x90083;
    public const uint IOCTL_DISK_GET_LENGTH_INFO = 0x7405C;
    public const uint IOCTL_STORAGE_GET_DEVICE_NUMBER = 0x2D1080;
    public const uint LockExclusive = 2;
    public const uint LockAtOnce = 1;

    [LibraryImport(Library, EntryPoint = "ReadFile", SetLastError = true)]
    public static partial int Read(
        nint file,
        void* buffer,
        uint lengthBytes,
        uint* readBytes,
        IoOverlapped* overlapped
    );

    [LibraryImport(Library, EntryPoint = "WriteFile", SetLastError = true)]
    public static partial int Write(
        nint file,
        void* buffer,
        uint lengthBytes,
        uint* writtenBytes,
        IoOverlapped* overlapped
    );

    [LibraryImport(Library, EntryPoint = "GetOverlappedResult", SetLastError = true)]
    public static partial int Result(nint file, IoOverlapped* overlapped, uint* transferredBytes, int mayWait);

    /// <summary>FlushFileBuffers: what was written is durable, the device's own cache included.</summary>
    [LibraryImport(Library, EntryPoint = "FlushFileBuffers", SetLastError = true)]
    public static partial int Flush(nint file);

    [LibraryImport(Library, EntryPoint = "DeviceIoControl", SetLastError = true)]
    public static partial int Control(
        nint file,
        uint code,
        void* input,
        uint inputBytes,
        void* output,
        uint outputBytes,
        uint* returnedBytes,
        IoOverlapped* overlapped
    );

    [LibraryImport(Library, EntryPoint = "LockFileEx", SetLastError = true)]
    public static partial int Lock(
        nint file,
        uint flags,
        uint reserved,
        uint lengthLow,
        uint lengthHigh,
        IoOverlapped* overlapped
    );

    [LibraryImport(Library, EntryPoint = "GetFinalPathNameByHandleW", SetLastError = true)]
    public static partial uint FinalPath(nint file, char* path, uint charCount, uint flags);

    [LibraryImport(Library, EntryPoint = "GetVolumeInformationByHandleW", SetLastError = true)]
    public static partial int VolumeInformation(
        nint file,
        char* name,
        uint nameChars,
        uint* serial,
        uint* nameCharsMax,
        uint* flags,
        char* fileSystem,
        uint fileSystemChars
    );
}
