// Memory of Windows. Address space and the promise of pages (commit) are one there: a lazy region takes no memory
// before its first touch, but counts against the page file at once, so a table for a very large disk may be refused.
// Resident pages are touched, and locked as far as the process's working set allows: a wish, since a page that is in
// use by a transfer is locked by the system anyway. Large pages need a right that few accounts have (SeLockMemory) and
// cannot be given back in parts; they are not asked for.
//
// The fence: FlushProcessWriteBuffers interrupts every processor that runs a thread of the process, as membarrier does,
// so what ProcessFence promises holds word for word. Wine 8 does nothing there: only one processor may run it.
// Source: memoryapi.h, processthreadsapi.h in the Windows documentation.
using System;
using FastBackup.Base;
using FastBackup.Interop.Windows;

namespace FastBackup.Memory;

/// <summary>Threads: any.</summary>
sealed unsafe class WindowsMemory : HostMemory
{
    public override int TryMap(nuint lengthBytes, out nint start)
    {
        const uint type = VirtualMemory.MEM_RESERVE | VirtualMemory.MEM_COMMIT;
        start = VirtualMemory.Take(0, lengthBytes, type, VirtualMemory.PAGE_READWRITE);
        return start == 0 ? Errnos.ENOMEM : 0;
    }

    public override int TryPopulate(nint start, nuint lengthBytes, bool isLarge)
    {
        Touch(start, lengthBytes);
        _ = VirtualMemory.Lock(start, lengthBytes);
        return 0;
    }

    public override int TryDiscard(nint start, nuint lengthBytes) =>
        VirtualMemory.Free(start, lengthBytes, VirtualMemory.MEM_DECOMMIT) != 0
        && VirtualMemory.Take(start, lengthBytes, VirtualMemory.MEM_COMMIT, VirtualMemory.PAGE_READWRITE) != 0
            ? 0
            : Errnos.ENOMEM;

    public override void Unmap(nint start, nuint lengthBytes) =>
        _ = VirtualMemory.Free(start, 0, VirtualMemory.MEM_RELEASE);

    public override bool TryPrepareFence() => true;

    public override bool TryFence()
    {
        VirtualMemory.FenceAll();
        return true;
    }

    public override ulong AvailableBytes()
    {
        MemoryStatus status = new() { LengthBytes = (uint)sizeof(MemoryStatus) };
        return VirtualMemory.Status(&status) == 0
            ? ulong.MaxValue
            : Math.Min(status.FreePhysicalBytes, status.FreeCommitBytes);
    }
}
