// Where the figures come from: processor, kernel, file system, free space, and how busy the machine is.
using System;
using System.Globalization;
using System.IO;
using System.Linq;
using FastBackup.Base;

namespace FastBackup.Bench.Peers;

public static class HostLine
{
    public static string Describe(string folder)
    {
        DriveInfo drive = new(folder);
        string load = File.ReadAllText("/proc/loadavg").Split(' ')[0];
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{Environment.ProcessorCount} x {Processor()}, Linux {Environment.OSVersion.Version}, "
                + $"{MemoryBytes() / (double)Units.GiB:F0} GiB memory, {FileSystem(folder)}, "
                + $"{(ulong)drive.AvailableFreeSpace / Units.GiB} GiB free, load {load}, .NET {Environment.Version}"
        );
    }

    static string Processor() =>
        File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
            ?.Split(':')[1]
            .Trim()
        ?? "unknown processor";

    static ulong MemoryBytes()
    {
        string? total = File.ReadLines("/proc/meminfo").FirstOrDefault();
        string number = new([.. (total ?? "0").Where(char.IsAsciiDigit)]);
        return ulong.Parse(number, CultureInfo.InvariantCulture) * Units.KiB;
    }

    /// <summary>Type and device of the mount that the folder lies on: the longest that begins its path.</summary>
    static string FileSystem(string folder)
    {
        string path = Path.GetFullPath(folder);
        string[]? best = File.ReadLines("/proc/self/mounts")
            .Select(line => line.Split(' '))
            .Where(fields => IsBelow(path, fields[1]))
            .MaxBy(fields => fields[1].Length);
        return best == null ? "unknown file system" : $"{best[2]} on {best[0]}";
    }

    static bool IsBelow(string path, string mountPoint) =>
        mountPoint == "/" || path == mountPoint || path.StartsWith(mountPoint + "/", StringComparison.Ordinal);
}
