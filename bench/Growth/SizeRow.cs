// What an incremental backup costs before it copies anything, for one size of disk and one share of dirty granules.
namespace FastBackup.Bench.Growth;

/// <param name="SizeBytes">Of the disk.</param>
/// <param name="Density">Share of the granules that are dirty.</param>
/// <param name="CreateUs">Making the job: its memory.</param>
/// <param name="StartUs">From the start until the point in time is taken: so long guests' writes may be held.</param>
/// <param name="ScanUs">Finding every run of dirty granules.</param>
/// <param name="RunCount">That were found.</param>
/// <param name="MemoryBytes">Resident for bitmap and job, while the job runs.</param>
sealed record SizeRow(
    ulong SizeBytes,
    double Density,
    double CreateUs,
    double StartUs,
    double ScanUs,
    ulong RunCount,
    double MemoryBytes
);
