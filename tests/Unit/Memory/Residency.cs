// Asks the kernel what AlignedRegion promises about pages. Source: mincore(2), getrusage(2).
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Memory;

static unsafe partial class Residency
{
    const int RusageThread = 1;
    const int MinorFaultsIndex = 8; // two timevals of two longs, then maxrss, ixrss, idrss, isrss

    /// <returns>Pages of the range that are in memory; -1 when part of the range is not mapped.</returns>
    public static long CountPages(nint start, ulong lengthBytes)
    {
        byte[] pages = new byte[Units.DivCeil(lengthBytes, AlignedRegion.PageBytes)];
        fixed (byte* vector = pages)
        {
            if (mincore(start, (nuint)lengthBytes, vector) != 0)
                return -1;
        }
        long count = 0;
        foreach (byte page in pages)
            count += page & 1;
        return count;
    }

    /// <summary>Faults without I/O that this thread has had.</summary>
    public static long MinorFaultCount()
    {
        long* usage = stackalloc long[32];
        Assert.Equal(0, getrusage(RusageThread, usage));
        return usage[MinorFaultsIndex];
    }

    [LibraryImport("libc")]
    private static partial int mincore(nint address, nuint lengthBytes, byte* vector);

    [LibraryImport("libc")]
    private static partial int getrusage(int who, long* usage);
}
