// How much memory may be taken now: what the kernel calls available, or what a limit of the container or of the process
// leaves if that is less.
using System;
using FastBackup.Memory;

namespace FastBackup.Cli;

static class MachineMemory
{
    public static ulong AvailableBytes() =>
        Math.Min((ulong)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, MemoryRoom.AvailableBytes());
}
