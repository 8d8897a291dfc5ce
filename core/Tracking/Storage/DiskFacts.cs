// What is so of a disk now, for a tracker that comes back to it: which disk it is, and whether somebody wrote to it
// while nobody watched.
//
//   which      a file: inode and time of birth, which a copy has not; a block device: what its driver calls it
//              (dm/uuid, wwid, serial), or its file if it is a loop device, and which part of it; else its number,
//              which a reboot may give to another
//   written    times of a file; of both a digest of 64 places: the first pages, where file systems and partitions keep
//              what each mount writes, the last ones, and others spread over the disk
//
// A block device has no times: a write by others that touches none of the places is not seen. Reads 256 KiB.
// Source: statx(2); sysfs, /sys/dev/block/MAJOR:MINOR.
using System;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Memory;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Format;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: any, that may wait. Unsupported where digests are: without OpenSSL.</summary>
static class DiskFacts
{
    const int PlaceBytes = 4096;
    const int PlaceCount = 64;
    const int ClockTickMs = 20; // times of files advance in steps of up to 10 ms

    static readonly ulong[] s_fixedPlaces =
    [
        0,
        4 * Units.KiB,
        64 * Units.KiB,
        Units.MiB,
        Units.MiB + 4 * Units.KiB,
        Units.MiB + 64 * Units.KiB,
        2 * Units.MiB,
    ];

    static readonly string[] s_names = ["dm/uuid", "wwid", "device/wwid", "device/serial", "loop/backing_file"];

    public static Fault TryIdentify(int fd, out Digest32 id)
    {
        id = default;
        if (!OpenSsl.IsThere)
            return new Fault(FaultKind.Unsupported);
        Fault fault = TryLook(fd, out Statx status);
        if (fault.IsFault)
            return fault;
        string name =
            (status.Mode & Files.S_IFMT) == Files.S_IFBLK
                ? NameOfDevice(status.RdevMajor, status.RdevMinor)
                : FormattableString.Invariant($"file {status.Inode} {status.BornSeconds}.{status.BornNanoseconds}");
        id = Digest(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
        return Fault.None;
    }

    /// <summary>Tells the same apart, by another number: of a file without a digest, so that a plain copy loads no
    /// library for one.</summary>
    public static Fault TryIdentifyFile(int fd, out Digest32 id)
    {
        id = default;
        Fault fault = TryLook(fd, out Statx status);
        if (fault.IsFault)
            return fault;
        if (!IsFile(status))
            return TryIdentify(fd, out id);
        id = new Digest32(status.Inode, ToNs(status.BornSeconds, status.BornNanoseconds));
        return Fault.None;
    }

    /// <summary>The disk as it is left. Waits until a write after this call has another time.</summary>
    /// <param name="fd">Of the disk.</param>
    /// <param name="sizeBytes">Its size.</param>
    /// <param name="stamp">How it is.</param>
    public static Fault TryStampForGood(int fd, ulong sizeBytes, out DiskStamp stamp)
    {
        AwaitTick();
        return TryStamp(fd, sizeBytes, out stamp);
    }

    /// <summary>A write from now on has another time than one before this call.</summary>
    public static unsafe void AwaitTick() => _ = Files.Poll(null, 0, ClockTickMs); // SAFETY: no descriptors

    /// <summary>When a file was written last; zeroes for a block device, which has no times.</summary>
    public static Fault TryTimes(int fd, out ulong modifiedNs, out ulong changedNs)
    {
        (modifiedNs, changedNs) = (0, 0);
        Fault fault = TryLook(fd, out Statx status);
        if (fault.IsNone && IsFile(status))
        {
            modifiedNs = ToNs(status.ModifiedSeconds, status.ModifiedNanoseconds);
            changedNs = ToNs(status.ChangedSeconds, status.ChangedNanoseconds);
        }
        return fault;
    }

    public static Fault TryStamp(int fd, ulong sizeBytes, out DiskStamp stamp)
    {
        stamp = default;
        if (!OpenSsl.IsThere)
            return new Fault(FaultKind.Unsupported);
        using AlignedRegion pages = AlignedRegion.Map(PlaceBytes * PlaceCount, RegionResidency.Resident);
        for (int i = 0; i < PlaceCount; i++)
        {
            Span<byte> page = pages.Slice((ulong)(i * PlaceBytes), PlaceBytes);
            ulong atBytes = PlaceAt(i, sizeBytes);
            if (!TryReadPlace(fd, atBytes, page))
                return LastFault();
            if (sizeBytes < atBytes + PlaceBytes) // the disk may be larger by now
                page[(int)(Math.Max(sizeBytes, atBytes) - atBytes)..].Clear();
        }
        Fault fault = TryTimes(fd, out ulong modifiedNs, out ulong changedNs);
        if (fault.IsFault)
            return fault;
        Digest32 places = Digest(SHA256.HashData(pages.Slice(0, PlaceBytes * PlaceCount)));
        stamp = new DiskStamp(modifiedNs, changedNs, places);
        return Fault.None;
    }

    static unsafe Fault TryLook(int fd, out Statx status)
    {
        const uint wanted = Files.STATX_BASIC_STATS | Files.STATX_BTIME;
        fixed (Statx* start = &status) // SAFETY: the kernel fills the structure during the call only
            return Files.Statx(fd, "", Files.AT_EMPTY_PATH, wanted, start) < 0 ? LastFault() : Fault.None;
    }

    static bool IsFile(in Statx status) => (status.Mode & Files.S_IFMT) == Files.S_IFREG;

    static ulong PlaceAt(int index, ulong sizeBytes)
    {
        ulong pageCount = sizeBytes / PlaceBytes;
        if (index < s_fixedPlaces.Length)
            return s_fixedPlaces[index];
        if (index == s_fixedPlaces.Length)
            return Units.AlignDown(Math.Max(sizeBytes, 1) - 1, PlaceBytes);
        return (ulong)(((UInt128)pageCount * (uint)index) / PlaceCount) * PlaceBytes;
    }

    /// <summary>What lies behind the end reads as zeroes.</summary>
    static unsafe bool TryReadPlace(int fd, ulong offsetBytes, Span<byte> page)
    {
        fixed (byte* start = page)
            for (int attempt = 0; attempt < 100; attempt++)
                // SAFETY: the kernel fills the page, which is mapped, during the call only.
                if (Files.Pread(fd, start, PlaceBytes, (long)offsetBytes) >= 0)
                    return true;
                else if (Marshal.GetLastPInvokeError() != Errnos.EINTR)
                    return false;
        return false;
    }

    static string NameOfDevice(uint major, uint minor)
    {
        string folder = FormattableString.Invariant($"/sys/dev/block/{major}:{minor}/");
        string part = First(folder + "partition");
        if (part.Length > 0)
            folder = SystemText.Resolve(folder.TrimEnd('/')) + "/../";
        foreach (string name in s_names)
            if (First(folder + name) is { Length: > 0 } found)
                return $"device {name} {found} part {part}";
        return FormattableString.Invariant($"device {major}:{minor}");
    }

    static string First(string path) => SystemText.Lines(path) is { Length: > 0 } lines ? lines[0].Trim() : "";

    static ulong ToNs(long seconds, uint nanoseconds) => (ulong)seconds * Units.NsPerSecond + nanoseconds;

    static Digest32 Digest(ReadOnlySpan<byte> hash) =>
        new(MemoryMarshal.Read<UInt128>(hash), MemoryMarshal.Read<UInt128>(hash[16..]));

    static Fault LastFault() => Errnos.ToFault(Marshal.GetLastPInvokeError());
}
