// What the kernel says about itself and this process in its text files. A file that is not there gives null:
// containers hide some.
// Source: proc_sys_kernel(5), proc_pid_limits(5), proc_pid_status(5), Linux Documentation/admin-guide/mm/transhuge.rst.
using System;
using System.IO;
using System.Linq;

namespace FastBackup.Cli;

static class KernelFacts
{
    public static string? Release => FirstLine("/proc/sys/kernel/osrelease");

    /// <summary>0 = anybody may use io_uring, 1 = a group, 2 = nobody.</summary>
    public static string? IoUringDisabled => FirstLine("/proc/sys/kernel/io_uring_disabled");

    /// <summary>Bytes that a socket may be given to hold for its reader.</summary>
    public static string? SendBufferMax => FirstLine("/proc/sys/net/core/wmem_max");

    /// <summary>"always", "madvise" or "never": the word in brackets.</summary>
    public static string? HugePages =>
        FirstLine("/sys/kernel/mm/transparent_hugepage/enabled")
            ?.Split(' ')
            .FirstOrDefault(word => word.StartsWith('['))
            ?.Trim('[', ']');

    /// <summary>Whether system calls of this process pass a filter, as container runtimes set one.</summary>
    public static bool HasSystemCallFilter =>
        Lines("/proc/self/status")
            .Any(line => line.StartsWith("Seccomp:", StringComparison.Ordinal) && line.EndsWith('2'));

    /// <summary>Bytes that may be locked, as the kernel writes it: a number or "unlimited".</summary>
    public static string? MemoryLockLimit =>
        Lines("/proc/self/limits")
            .FirstOrDefault(line => line.StartsWith("Max locked memory", StringComparison.Ordinal))
            ?.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .ElementAtOrDefault(3);

    static string? FirstLine(string path) => Lines(path).FirstOrDefault();

    static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
