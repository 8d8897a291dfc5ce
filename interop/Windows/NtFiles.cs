// Opening by a name below an open folder, and looking at and changing what is open: what the Windows calls of kernel32
// do only by whole paths. Declarations only.
// Source: ntddk.h, ntifs.h, winternl.h; NtCreateFile and FILE_INFORMATION_CLASS in the Windows driver documentation.
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Windows;

public static unsafe partial class NtFiles
{
    const string Library = "ntdll";

    public const uint GENERIC_READ = 0x80000000;
    public const uint GENERIC_WRITE = 0x40000000;
    public const uint DELETE = 0x10000;
    public const uint SYNCHRONIZE = 0x100000;
    public const uint FILE_READ_ATTRIBUTES = 0x80;
    public const uint FILE_TRAVERSE = 0x20;
    public const uint FILE_LIST_DIRECTORY = 1;
    public const uint FILE_ADD_FILE = 2;

    public const uint ShareRead = 1;
    public const uint ShareDelete = 4;
    public const uint ShareAll = 7;

    public const uint FILE_OPEN = 1;
    public const uint FILE_CREATE = 2;
    public const uint FILE_OPEN_IF = 3;

    public const uint FILE_DIRECTORY_FILE = 0x1;
    public const uint FILE_NO_INTERMEDIATE_BUFFERING = 0x8;
    public const uint FILE_NON_DIRECTORY_FILE = 0x40;
    public const uint FILE_DELETE_ON_CLOSE = 0x1000;
    public const uint FILE_OPEN_FOR_BACKUP_INTENT = 0x4000;
    public const uint FILE_OPEN_REPARSE_POINT = 0x200000;

    public const uint FILE_ATTRIBUTE_NORMAL = 0x80;
    public const uint FILE_ATTRIBUTE_REPARSE_POINT = 0x400;
    public const uint OBJ_CASE_INSENSITIVE = 0x40;

    public const int StandardFactsrmation = 5;
    public const int FileInternalInformation = 6;
    public const int FileRenameInformation = 10;
    public const int FileLinkInformation = 11;
    public const int FileDispositionInformation = 13;
    public const int FileEndOfFileInformation = 20;
    public const int FileDispositionInformationEx = 64;
    public const int FileRenameInformationEx = 65;
    public const int FileFsDeviceInformation = 4;

    public const uint FILE_RENAME_REPLACE_IF_EXISTS = 1;
    public const uint FILE_RENAME_POSIX_SEMANTICS = 2;
    public const uint FILE_DISPOSITION_DELETE = 1;
    public const uint FILE_DISPOSITION_POSIX_SEMANTICS = 2;

    /// <returns>An NTSTATUS: negative is an error.</returns>
    [LibraryImport(Library, EntryPoint = "NtCreateFile")]
    public static partial int Create(
        nint* file,
        uint access,
        ObjectAttributes* attributes,
        IoStatusBlock* status,
        long* allocatedBytes,
        uint fileAttributes,
        uint share,
        uint disposition,
        uint options,
        void* extended,
        uint extendedBytes
    );

    [LibraryImport(Library, EntryPoint = "NtQueryInformationFile")]
    public static partial int Query(nint file, IoStatusBlock* status, void* answer, uint answerBytes, int what);

    [LibraryImport(Library, EntryPoint = "NtQueryVolumeInformationFile")]
    public static partial int QueryVolume(nint file, IoStatusBlock* status, void* answer, uint answerBytes, int what);

    [LibraryImport(Library, EntryPoint = "NtSetInformationFile")]
    public static partial int Set(nint file, IoStatusBlock* status, void* wanted, uint wantedBytes, int what);

    /// <summary>An NTSTATUS as an error number of kernel32.</summary>
    [LibraryImport(Library, EntryPoint = "RtlNtStatusToDosError")]
    public static partial uint ToError(int status);
}

/// <summary>UNICODE_STRING.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct NtText
{
    public ushort LengthBytes;
    public ushort CapacityBytes;
    public char* Start;
}

/// <summary>OBJECT_ATTRIBUTES.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct ObjectAttributes
{
    public uint LengthBytes;
    public nint RootDirectory;
    public NtText* Name;
    public uint Attributes;
    public void* SecurityDescriptor;
    public void* SecurityQuality;
}

/// <summary>FILE_STANDARD_INFORMATION.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct StandardFacts
{
    public long AllocatedBytes;
    public long EndBytes;
    public uint LinkCount;
    public byte IsDeletePending;
    public byte IsDirectory;
}
