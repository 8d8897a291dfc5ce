// What the kernel says about this process's descriptors.
// Source: fcntl(2), getrlimit(2).
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>struct rlimit.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ResourceLimit
{
    /// <summary>What counts now.</summary>
    public ulong Soft;

    /// <summary>As far as the process itself may raise it.</summary>
    public ulong Hard;
}

public static unsafe partial class Descriptors
{
    public const int F_GETFD = 1;
    public const int FD_CLOEXEC = 1;
    public const int RLIMIT_NOFILE = 7;

    const string Library = "libc";

    /// <returns>The answer, or -1 with errno.</returns>
    [LibraryImport(Library, EntryPoint = "fcntl", SetLastError = true)]
    public static partial int Control(int fd, int command, int argument);

    [LibraryImport(Library, EntryPoint = "getrlimit", SetLastError = true)]
    public static partial int GetLimit(int resource, ResourceLimit* limit);
}
