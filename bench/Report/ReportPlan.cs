// How much a report measures, and how long each of its sections may take for that on two processors.
using FastBackup.Base;

namespace FastBackup.Bench.Report;

/// <param name="Mode">Quick or full.</param>
/// <param name="DiskBytes">Of disks that are copied.</param>
/// <param name="MemoryDiskBytes">Of those in memory.</param>
/// <param name="RoundCount">Of what takes turns.</param>
/// <param name="GuestBytes">Of guests' disks.</param>
/// <param name="LongRoundCount">Of what has very many rows: guests, and growth.</param>
/// <param name="GuestSeconds">That each of them is watched.</param>
/// <param name="HasFrontier">QEMU with all its settings.</param>
/// <param name="BitmapRepetitions">Of each operation.</param>
/// <param name="Factor">Of the times that are meant for the sections.</param>
sealed record ReportPlan(
    string Mode,
    ulong DiskBytes,
    ulong MemoryDiskBytes,
    int RoundCount,
    ulong GuestBytes,
    int LongRoundCount,
    int GuestSeconds,
    bool HasFrontier,
    int BitmapRepetitions,
    double Factor
)
{
    /// <summary>Eight minutes in all.</summary>
    public static ReportPlan Quick { get; } =
        new("quick", Units.GiB / 2, Units.GiB / 4, 3, Units.GiB, 1, 1, HasFrontier: true, 2, 1);

    /// <summary>Work done, no time: what has a small run of its own is left out.</summary>
    public static ReportPlan Smoke { get; } =
        new("smoke", 64 * Units.MiB, 64 * Units.MiB, 1, 64 * Units.MiB, 1, 1, HasFrontier: false, 1, 1);

    public bool IsSmoke => Mode == "smoke";

    public static ReportPlan Full { get; } =
        new("full", 4 * Units.GiB, Units.GiB, 5, 3 * Units.GiB, 3, 3, HasFrontier: true, 7, 8);
}
