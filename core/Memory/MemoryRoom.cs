// How much more memory this process may take, as far as the system says: what the kernel calls available, what is left
// under the limits of its memory cgroups (of both kinds, its own and those above), what is left of its address space.
// A limit that is passed is not an error of the call that passes it: the kernel kills the process. So a default is cut
// to what fits, and what was asked for is refused, before it is taken.
//
// Page cache that a cgroup holds counts as free, since the kernel gives it up first; swap counts as none. What the
// system does not show is no limit. Cost: a few files of proc and cgroup.
// Source: proc_meminfo(5), proc_pid_limits(5), proc_pid_statm(5), Linux Documentation/admin-guide/cgroup-v2.rst and
// cgroup-v1/memory.rst.
using System;
using System.Globalization;
using System.IO;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>Threads: any. Allocates.</summary>
public static class MemoryRoom
{
    const string CgroupRoot = "/sys/fs/cgroup";

    /// <returns>Bytes; ulong.MaxValue where nothing is known.</returns>
    public static ulong AvailableBytes() => HostMemory.Current.AvailableBytes();

    /// <summary>The same, of Linux.</summary>
    internal static ulong LinuxBytes() =>
        Math.Min(Math.Min(KernelBytes(), AddressSpaceBytes()), CgroupBytes(CgroupRoot, Lines("/proc/self/cgroup")));

    /// <summary>A size that leaves at least as much as it takes.</summary>
    /// <param name="wantedBytes">A power of two.</param>
    /// <param name="availableBytes">Of <see cref="AvailableBytes"/>.</param>
    /// <returns>wantedBytes or a smaller power of two; 0 when there is nothing.</returns>
    public static ulong Fit(ulong wantedBytes, ulong availableBytes)
    {
        Check.That(Units.IsPowerOfTwo(wantedBytes));
        ulong bytes = wantedBytes;
        while (bytes > availableBytes / 2)
            bytes /= 2;
        return bytes;
    }

    /// <summary>What is left under the limits of the cgroups of a process.</summary>
    /// <param name="root">Where they are mounted.</param>
    /// <param name="lines">Of /proc/PID/cgroup.</param>
    public static ulong CgroupBytes(string root, string[] lines)
    {
        ulong leftBytes = ulong.MaxValue;
        foreach (string line in lines)
        {
            string[] parts = line.Split(':', 3); // "0::/path" of the second kind, "4:memory:/path" of the first
            if (parts.Length != 3)
                continue;
            if (parts[1].Length == 0)
                leftBytes = Math.Min(leftBytes, Left(root, parts[2], "memory.max", "memory.current"));
            else if (Array.IndexOf(parts[1].Split(','), "memory") >= 0)
                leftBytes = Math.Min(
                    leftBytes,
                    Left(root + "/memory", parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes")
                );
        }
        return leftBytes;
    }

    /// <summary>The least of a group and all above it; a path of another namespace leads to the root alone.</summary>
    static ulong Left(string root, string path, string limit, string usage)
    {
        ulong leftBytes = ulong.MaxValue;
        string group = path.Trim('/');
        while (true)
        {
            string folder = group.Length == 0 ? root : root + "/" + group;
            if (Number(Lines(folder + "/" + limit)) is { } limitBytes)
            {
                ulong usedBytes = Number(Lines(folder + "/" + usage)) ?? 0;
                usedBytes -= Math.Min(usedBytes, PageCacheBytes(folder));
                leftBytes = Math.Min(leftBytes, limitBytes - Math.Min(limitBytes, usedBytes));
            }
            if (group.Length == 0)
                return leftBytes;
            group = group[..Math.Max(0, group.LastIndexOf('/'))];
        }
    }

    static ulong PageCacheBytes(string folder)
    {
        ulong bytes = 0;
        ulong totalBytes = 0; // the first kind counts groups below apart
        foreach (string line in Lines(folder + "/memory.stat"))
        {
            string[] words = line.Split(' ');
            if (words.Length != 2 || Number([words[1]]) is not { } value)
                continue;
            if (words[0] is "inactive_file" or "active_file")
                bytes += value;
            else if (words[0] is "total_inactive_file" or "total_active_file")
                totalBytes += value;
        }
        return Math.Max(bytes, totalBytes);
    }

    static ulong KernelBytes()
    {
        foreach (string line in Lines("/proc/meminfo"))
            if (line.StartsWith("MemAvailable:", StringComparison.Ordinal))
                return Number(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..2]) * Units.KiB
                    ?? ulong.MaxValue;
        return ulong.MaxValue;
    }

    static ulong AddressSpaceBytes()
    {
        foreach (string line in Lines("/proc/self/limits"))
        {
            if (!line.StartsWith("Max address space", StringComparison.Ordinal))
                continue;
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 4 || Number(words[3..4]) is not { } limitBytes)
                return ulong.MaxValue; // "unlimited"
            string[] statm = Lines("/proc/self/statm");
            ulong usedBytes = statm.Length > 0 ? Number(statm[0].Split(' ')[..1]) * AlignedRegion.PageBytes ?? 0 : 0;
            return limitBytes - Math.Min(limitBytes, usedBytes);
        }
        return ulong.MaxValue;
    }

    /// <returns>Null for no line, "max", "unlimited" and what the first kind says for no limit.</returns>
    static ulong? Number(string[] lines) =>
        lines.Length > 0
        && ulong.TryParse(lines[0], NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
        && value < long.MaxValue - 65536
            ? value
            : null;

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
