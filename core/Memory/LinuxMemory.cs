// Memory of Linux: an anonymous private mapping, huge pages where the kernel grants them, membarrier.
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Memory;

/// <summary>Threads: any.</summary>
sealed unsafe class LinuxMemory : HostMemory
{
    public override int TryMap(nuint lengthBytes, out nint start)
    {
        int flags = Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE;
        start = Libc.Mmap(0, lengthBytes, Libc.PROT_READ | Libc.PROT_WRITE, flags, -1, 0);
        return start == Libc.MapFailed ? Marshal.GetLastPInvokeError() : 0;
    }

    public override int TryPopulate(nint start, nuint lengthBytes, bool isLarge)
    {
        // A fork of the host must neither make these pages copy-on-write while the kernel's direct I/O has them
        // (open(2), NOTES: that can corrupt data) nor cost a fault per page afterwards.
        _ = Libc.Madvise(start, lengthBytes, Libc.MADV_DONTFORK);
        if (isLarge)
            _ = Libc.Madvise(start, lengthBytes, Libc.MADV_HUGEPAGE); // refused where THP is off
        if (Libc.Madvise(start, lengthBytes, Libc.MADV_POPULATE_WRITE) == 0)
            return 0;
        int errno = Marshal.GetLastPInvokeError();
        if (errno != Errnos.EINVAL)
            return errno;
        // Kernels before 5.14 do not know the advice: touch each page instead.
        Touch(start, lengthBytes);
        return 0;
    }

    public override int TryDiscard(nint start, nuint lengthBytes) =>
        Libc.Madvise(start, lengthBytes, Libc.MADV_DONTNEED) == 0 ? 0 : Marshal.GetLastPInvokeError();

    // No check: this may be the finalizer's thread, and a mapping that the kernel cannot split is only a leak.
    public override void Unmap(nint start, nuint lengthBytes) => _ = Libc.Munmap(start, lengthBytes);

    /// <summary>False: older than Linux 4.14, or forbidden by a filter of system calls.</summary>
    public override bool TryPrepareFence() => Membarrier.Call(Membarrier.CMD_REGISTER_PRIVATE_EXPEDITED) == 0;

    public override bool TryFence() => Membarrier.Call(Membarrier.CMD_PRIVATE_EXPEDITED) == 0;

    public override ulong AvailableBytes() => MemoryRoom.LinuxBytes();
}
