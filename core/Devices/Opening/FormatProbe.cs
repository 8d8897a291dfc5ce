// Reads what ForeignFormat wants to see.
using System;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Devices.Opening;

static class FormatProbe
{
    const uint AlignMax = 64 * 1024;

    /// <param name="file">Open, its direct descriptor, too.</param>
    /// <param name="capacityBytes">Of the disk.</param>
    /// <param name="path">For people.</param>
    /// <param name="format">Its name, null: raw, as far as can be seen.</param>
    /// <returns>None; or that it is not raw.</returns>
    public static OpenRefusal Refuse(OpenedFile file, ulong capacityBytes, string path, out string? format)
    {
        format = Find(file, capacityBytes);
        return format == null ? default : NotRaw(path, format);
    }

    /// <summary>That a disk is not raw.</summary>
    public static OpenRefusal NotRaw(string path, string format) =>
        new(
            new Fault(FaultKind.Unsupported),
            $"'{path}' is an image of format {format}: its bytes are not those of its disk; convert it to raw, or "
                + "say that it is raw"
        );

    static unsafe string? Find(OpenedFile file, ulong capacityBytes)
    {
        if (capacityBytes == 0)
            return null;
        (int fd, uint align) = file.Direct.IsUsed
            ? (file.Direct.Fd, file.Direct.AlignBytes)
            : (file.Fd, (uint)ForeignFormat.HeadBytes);
        Check.That(align is >= ForeignFormat.HeadBytes and <= AlignMax);
        using AlignedRegion region = AlignedRegion.Map(2 * AlignMax, RegionResidency.Resident);
        // SAFETY: neither read is longer than the region, which lives until both spans have been looked at.
        long headCount = file.Read(fd, region.Start, align, 0);
        Span<byte> head = stackalloc byte[ForeignFormat.HeadBytes];
        int headBytes = (int)Math.Clamp(headCount, 0, ForeignFormat.HeadBytes);
        new ReadOnlySpan<byte>((void*)region.Start, headBytes).CopyTo(head);
        ReadOnlySpan<byte> tail = default;
        if (capacityBytes >= ForeignFormat.TailBytes)
        {
            ulong tailStart = capacityBytes - ForeignFormat.TailBytes;
            ulong readStart = Units.AlignDown(tailStart, align);
            ulong skippedBytes = tailStart - readStart;
            long count = file.Read(fd, region.Start, 2 * align, readStart);
            if (count >= (long)(skippedBytes + ForeignFormat.TailBytes))
                tail = new ReadOnlySpan<byte>((byte*)region.Start + skippedBytes, ForeignFormat.TailBytes);
        }
        return ForeignFormat.Find(head[..headBytes], tail, file.IsBlockDevice);
    }
}
