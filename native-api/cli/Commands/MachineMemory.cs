// How much memory may be taken now: what the kernel calls available, or the container's limit if that is less.
// Source: proc_meminfo(5).
using System;
using System.Globalization;
using System.IO;
using FastBackup.Base;

namespace FastBackup.Cli;

static class MachineMemory
{
    public static ulong AvailableBytes()
    {
        ulong limitBytes = (ulong)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        foreach (string line in ReadLines("/proc/meminfo"))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 2 && words[0] == "MemAvailable:")
                return Math.Min(limitBytes, ulong.Parse(words[1], CultureInfo.InvariantCulture) * Units.KiB);
        }
        return limitBytes;
    }

    static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (IOException)
        {
            return [];
        }
    }
}
