// Bytes of an open file at offsets, by plain calls that may wait.
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Tracking.Recovery;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: one, that may wait. Does not own the descriptor.</summary>
/// <param name="fd">Open, past no page cache.</param>
/// <param name="startBytes">Where offset 0 is.</param>
/// <param name="sizeBytes">From there on.</param>
sealed class DescriptorReader(int fd, ulong startBytes, ulong sizeBytes) : ITrackerReader
{
    public ulong SizeBytes => sizeBytes;

    public unsafe bool TryRead(ulong offsetBytes, Span<byte> bytes)
    {
        fixed (byte* start = bytes)
            for (int done = 0; done < bytes.Length; )
            {
                // SAFETY: the kernel fills the rest of the span, which is fixed, during the call only.
                nint count = Files.Pread(
                    fd,
                    start + done,
                    (nuint)(bytes.Length - done),
                    (long)(startBytes + offsetBytes) + done
                );
                if (count <= 0 && (count == 0 || Marshal.GetLastPInvokeError() != Errnos.EINTR))
                    return false;
                done += (int)Math.Max(count, 0);
            }
        return true;
    }

    /// <summary>Writes the whole span, or says why not.</summary>
    public static unsafe Fault Write(int fd, ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
            for (int done = 0; done < bytes.Length; )
            {
                // SAFETY: the kernel reads the rest of the span, which is fixed, during the call only.
                nint count = Files.Pwrite(fd, start + done, (nuint)(bytes.Length - done), (long)offsetBytes + done);
                int errno = count < 0 ? Marshal.GetLastPInvokeError() : 0;
                if (count <= 0 && errno != Errnos.EINTR)
                    return Errnos.ToFault(errno == 0 ? Errnos.EIO : errno).At(offsetBytes + (ulong)done);
                done += (int)Math.Max(count, 0);
            }
        return Fault.None;
    }
}
