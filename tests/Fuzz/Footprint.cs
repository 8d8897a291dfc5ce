// What the process holds of the system: descriptors, mappings, memory that is in use.
using System;
using System.Globalization;
using System.IO;
using System.Linq;

namespace FastBackup.Tests.Fuzz;

/// <param name="DescriptorCount">Open files.</param>
/// <param name="MappingCount">Of memory.</param>
/// <param name="ManagedBytes">After a collection.</param>
/// <param name="ResidentBytes">Of the whole process.</param>
readonly record struct Footprint(int DescriptorCount, int MappingCount, long ManagedBytes, long ResidentBytes)
{
    /// <summary>Of mappings and memory: what the runtime takes and gives back by itself.</summary>
    const int MappingsOfRuntime = 24;

    const long BytesOfRuntime = 2 << 20;
    const long ResidentBytesOfRuntime = 48L << 20;

    public static Footprint Now()
    {
        for (int i = 0; i < 3; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        string resident = File.ReadAllText("/proc/self/statm").Split(' ')[1];
        return new Footprint(
            Directory.GetFiles("/proc/self/fd").Length,
            File.ReadLines("/proc/self/maps").Count(),
            GC.GetTotalMemory(forceFullCollection: true),
            long.Parse(resident, CultureInfo.InvariantCulture) * Environment.SystemPageSize
        );
    }

    /// <returns>Null, or what has grown since.</returns>
    public string? GrowthSince(in Footprint start)
    {
        if (DescriptorCount > start.DescriptorCount)
            return $"{DescriptorCount - start.DescriptorCount} descriptors are left open";
        if (MappingCount > start.MappingCount + MappingsOfRuntime)
            return $"{MappingCount - start.MappingCount} mappings of memory are left";
        if (ManagedBytes > start.ManagedBytes + BytesOfRuntime)
            return $"{ManagedBytes - start.ManagedBytes} bytes of objects are left";
        return ResidentBytes > start.ResidentBytes + ResidentBytesOfRuntime
            ? $"{ResidentBytes - start.ResidentBytes} bytes of memory are left"
            : null;
    }

    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{DescriptorCount} descriptors, {MappingCount} mappings, {ManagedBytes >> 10} KiB of objects, "
                + $"{ResidentBytes >> 20} MiB resident"
        );
}
