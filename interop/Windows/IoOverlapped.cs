// What Windows keeps of one operation under way, and what a completion port tells of one that has ended.
// Source: minwinbase.h (OVERLAPPED, OVERLAPPED_ENTRY), wdm.h (IO_STATUS_BLOCK).
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Windows;

/// <summary>OVERLAPPED. The system's from the call to its end.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoOverlapped
{
    /// <summary>The NTSTATUS of the end.</summary>
    public nuint Status;
    public nuint TransferredBytes;
    public uint OffsetLow;
    public uint OffsetHigh;

    /// <summary>Set at the end; with its lowest bit set, no port is told.</summary>
    public nint Event;
}

/// <summary>OVERLAPPED_ENTRY.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct OverlappedEntry
{
    public nuint Key;
    public IoOverlapped* Overlapped;
    public nuint Status;
    public uint TransferredBytes;
}

/// <summary>IO_STATUS_BLOCK.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoStatusBlock
{
    public nint Status;
    public nuint Count;
}
