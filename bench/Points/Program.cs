// What small changes cost in a repository, over sizes of chunks: bytes stored for a byte changed, bytes read, and bytes
// of lists (trees) and index a TiB of disk and point. The disk is in memory and half compressible; 1 % of it changes in
// random pieces of 64 KiB, or of 4 KiB, as a tracker with granules of that size tells.
//
//   dotnet run -c Release --project bench/Points            1 GiB; --smoke: 64 MiB and two sizes
//   dotnet run -c Release --project bench/Points -- --stages    where the processor time of a backup and a restore goes
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using FastBackup.Base;
using FastBackup.Bench.Points;

if (args is ["--stages"])
{
    PrintStages(Units.GiB);
    return;
}
bool isSmoke = args is ["--smoke"];
ulong sizeBytes = isSmoke ? 64 * Units.MiB : Units.GiB;
ulong[] chunksKib = isSmoke ? [256, 1024] : [128, 256, 512, 1024, 2048, 4096];
string folder = Directory.CreateTempSubdirectory("fb-points-").FullName;
Console.WriteLine(
    "| chunk | pieces | stored per byte changed | read per byte changed | metadata a TiB and point | s |"
);
Console.WriteLine("|---|---|---|---|---|---|");
try
{
    foreach (ulong chunk in chunksKib)
    foreach (ulong piece in (ulong[])[64 * Units.KiB, 4 * Units.KiB])
    {
        using ChangedDisk disk = new(Path.Combine(folder, $"{chunk}-{piece}"), sizeBytes);
        ChangeCost cost = disk.Measure(chunk * Units.KiB, piece);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {chunk} KiB | {piece / Units.KiB} KiB | {cost.StoredPerByte:0.0} | "
                    + $"{cost.ReadPerByte:0.0} | {cost.MetadataPerTebi / Units.MiB:0.0} MiB | {cost.Seconds:0.00} |"
            )
        );
    }
}
finally
{
    Directory.Delete(folder, recursive: true);
}
if (isSmoke)
    PrintStages(sizeBytes);

static void PrintStages(ulong sizeBytes)
{
    string folder = Directory.CreateTempSubdirectory("fb-points-").FullName;
    try
    {
        using StageCosts costs = new(folder, sizeBytes);
        Print("backup", costs.Backup());
        Print("restore", costs.Restore());
    }
    finally
    {
        Directory.Delete(folder, recursive: true);
    }
}

static void Print(string title, IEnumerable<StageCost> costs)
{
    Console.WriteLine($"| {title}, a GiB | CPU, s | s |\n|---|---|---|");
    foreach (StageCost cost in costs)
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"| {cost.Name} | {cost.CpuSeconds:0.00} | {cost.Seconds:0.00} |"
            )
        );
}
