// Memory, the fence on every thread, and how much memory there is. Declarations only.
// Source: memoryapi.h, sysinfoapi.h, processthreadsapi.h.
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Windows;

public static unsafe partial class VirtualMemory
{
    const string Library = "kernel32";

    public const uint MEM_COMMIT = 0x1000;
    public const uint MEM_RESERVE = 0x2000;
    public const uint MEM_DECOMMIT = 0x4000;
    public const uint MEM_RELEASE = 0x8000;
    public const uint PAGE_READWRITE = 4;

    [LibraryImport(Library, EntryPoint = "VirtualAlloc", SetLastError = true)]
    public static partial nint Take(nint address, nuint lengthBytes, uint type, uint protection);

    [LibraryImport(Library, EntryPoint = "VirtualFree", SetLastError = true)]
    public static partial int Free(nint address, nuint lengthBytes, uint type);

    [LibraryImport(Library, EntryPoint = "VirtualLock", SetLastError = true)]
    public static partial int Lock(nint address, nuint lengthBytes);

    [LibraryImport(Library, EntryPoint = "FlushProcessWriteBuffers")]
    public static partial void FenceAll();

    [LibraryImport(Library, EntryPoint = "GlobalMemoryStatusEx", SetLastError = true)]
    public static partial int Status(MemoryStatus* status);
}

/// <summary>MEMORYSTATUSEX.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MemoryStatus
{
    public uint LengthBytes;
    public uint LoadPercent;
    public ulong PhysicalBytes;
    public ulong FreePhysicalBytes;
    public ulong CommitLimitBytes;
    public ulong FreeCommitBytes;
    public ulong AddressBytes;
    public ulong FreeAddressBytes;
    public ulong FreeExtendedBytes;
}
