// Completion ports: where what has ended is taken from, in batches. Declarations only.
// Source: ioapiset.h, winbase.h; "I/O Completion Ports" in the Windows documentation.
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Windows;

public static unsafe partial class CompletionPorts
{
    const string Library = "kernel32";

    public const uint Infinite = uint.MaxValue;
    public const nint InvalidHandle = -1;

    /// <summary>FILE_SKIP_COMPLETION_PORT_ON_SUCCESS: what ends inside the call tells no port.</summary>
    public const byte SkipPortOnSuccess = 1;

    /// <summary>FILE_SKIP_SET_EVENT_ON_HANDLE.</summary>
    public const byte SkipEventOnHandle = 2;

    /// <summary>Makes a port, of InvalidHandle and 0; or lets a port serve a file.</summary>
    [LibraryImport(Library, EntryPoint = "CreateIoCompletionPort", SetLastError = true)]
    public static partial nint Create(nint file, nint port, nuint key, uint threadCount);

    /// <returns>0 after ERROR_WAIT_TIMEOUT as well.</returns>
    [LibraryImport(Library, EntryPoint = "GetQueuedCompletionStatusEx", SetLastError = true)]
    public static partial int Take(
        nint port,
        OverlappedEntry* entries,
        uint entryCountMax,
        uint* entryCount,
        uint waitMs,
        int isAlertable
    );

    [LibraryImport(Library, EntryPoint = "PostQueuedCompletionStatus", SetLastError = true)]
    public static partial int Post(nint port, uint transferredBytes, nuint key, IoOverlapped* overlapped);

    [LibraryImport(Library, EntryPoint = "SetFileCompletionNotificationModes", SetLastError = true)]
    public static partial int SetModes(nint file, byte flags);
}
