// What is mounted where, as this process sees it.
// Source: proc(5), /proc/self/mountinfo; statx(2), STATX_MNT_ID (the mount that a descriptor lies in, from 5.8).
using System;
using System.Collections.Generic;
using System.Globalization;

namespace FastBackup.Ports.Linux;

/// <param name="Id">As statx has it.</param>
/// <param name="Device">Of the file system, major in the upper half.</param>
/// <param name="Point">Absolute, as it is written: no links followed.</param>
/// <param name="FileSystem">Its kind: "ext4", "devtmpfs".</param>
public readonly record struct Mount(ulong Id, ulong Device, string Point, string FileSystem);

/// <summary>Immutable.</summary>
public sealed class MountTable(IReadOnlyList<Mount> mounts)
{
    const int FieldsMin = 5; // before the optional ones, which end with "-"

    /// <summary>Oldest first: of several at one point the last is seen.</summary>
    public IReadOnlyList<Mount> Mounts => mounts;

    public static MountTable OfThisProcess() => Parse(SystemText.Lines("/proc/self/mountinfo"));

    /// <summary>Lines that are not understood are left out.</summary>
    public static MountTable Parse(IEnumerable<string> lines)
    {
        List<Mount> found = [];
        foreach (string line in lines)
        {
            string[] fields = line.Split(' ');
            int dash = Array.IndexOf(fields, "-");
            bool isWhole = dash >= FieldsMin && dash + 1 < fields.Length;
            if (
                isWhole
                && ulong.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out ulong id)
                && SystemText.TryParseDevice(fields[2], out uint major, out uint minor)
            )
                found.Add(new Mount(id, (ulong)major << 32 | minor, SystemText.Unescape(fields[4]), fields[dash + 1]));
        }
        return new MountTable(found);
    }

    /// <summary>The mount that a file lies in; by its device where the kernel does not tell the mount.</summary>
    /// <param name="id">Of statx, or 0.</param>
    /// <param name="device">Of statx.</param>
    public Mount? Find(ulong id, ulong device)
    {
        for (int i = mounts.Count - 1; i >= 0; i--)
            if (id != 0 ? mounts[i].Id == id : mounts[i].Device == device)
                return mounts[i];
        return null;
    }
}
