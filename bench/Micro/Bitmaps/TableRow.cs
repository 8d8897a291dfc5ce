namespace FastBackup.Bench.Micro.Bitmaps;

/// <summary>One measurement: an operation at a density.</summary>
/// <param name="Operation">As hbitmap_bench.c prints it.</param>
/// <param name="Density">Of one bits.</param>
/// <param name="Nanoseconds">Of the whole, not of an item.</param>
/// <param name="Items">Bits set, runs found, ...; 1 where the whole is the unit.</param>
sealed record TableRow(string Operation, double Density, double Nanoseconds, ulong Items);

/// <summary>What to measure.</summary>
/// <param name="BitCountLog2">28 for the published table.</param>
/// <param name="Repetitions">The fastest is the estimate.</param>
/// <param name="IsResident">Huge pages, taken at creation; false for the default, lazy bitmaps.</param>
sealed record TableOptions(int BitCountLog2, int Repetitions, bool IsResident);

/// <summary>Against whom.</summary>
/// <param name="HasHbitmap">QEMU's, built here.</param>
/// <param name="HasRoaring">CRoaring, by Roaring.Net.</param>
readonly record struct TablePeers(bool HasHbitmap, bool HasRoaring);
