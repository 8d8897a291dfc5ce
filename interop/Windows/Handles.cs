// Handles and what threads wait on. Declarations only.
// Only the low 32 bits of a handle count, so that an int holds one. Source: handleapi.h, synchapi.h; "Interprocess
// Communication Between 32-bit and 64-bit Applications" in the Windows documentation.
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Windows;

public static unsafe partial class Handles
{
    const string Library = "kernel32";

    public const uint SameAccess = 2; // DUPLICATE_SAME_ACCESS

    [LibraryImport(Library, EntryPoint = "CloseHandle", SetLastError = true)]
    public static partial int Close(nint handle);

    [LibraryImport(Library, EntryPoint = "GetCurrentProcess")]
    public static partial nint CurrentProcess();

    [LibraryImport(Library, EntryPoint = "DuplicateHandle", SetLastError = true)]
    public static partial int Duplicate(
        nint fromProcess,
        nint handle,
        nint toProcess,
        nint* duplicate,
        uint access,
        int isInherited,
        uint options
    );

    [LibraryImport(Library, EntryPoint = "CreateSemaphoreW", SetLastError = true)]
    public static partial nint CreateSemaphore(void* attributes, int count, int countMax, char* name);

    [LibraryImport(Library, EntryPoint = "ReleaseSemaphore", SetLastError = true)]
    public static partial int ReleaseSemaphore(nint semaphore, int count, int* previous);

    [LibraryImport(Library, EntryPoint = "CreateEventW", SetLastError = true)]
    public static partial nint CreateEvent(void* attributes, int isManual, int isSet, char* name);

    /// <returns>0: the handle is signalled.</returns>
    [LibraryImport(Library, EntryPoint = "WaitForSingleObject", SetLastError = true)]
    public static partial uint Wait(nint handle, uint waitMs);
}
