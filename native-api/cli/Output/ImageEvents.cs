// The objects of info, map and check --json.
using System.Collections.Generic;

namespace FastBackup.Cli;

/// <remarks>
/// Event: "image", one for each layer of a chain from the top.
/// </remarks>
sealed record ImageEvent(
    string Event,
    string Filename,
    string Format,
    ulong? VirtualBytes,
    ulong ActualBytes,
    ulong? ClusterBytes,
    string? BackingFilename,
    string? BackingFormat,
    string? DataFile,
    string? Compat,
    string? Compression,
    uint? RefcountBits,
    bool? ExtendedL2,
    bool? Dirty,
    bool? Corrupt,
    IReadOnlyList<ImageSnapshot> Snapshots,
    IReadOnlyList<ImageBitmap> Bitmaps
);

/// <remarks>
/// DateSeconds: since 1970.
/// </remarks>
sealed record ImageSnapshot(string Id, string Name, uint DateSeconds, ulong StateBytes);

/// <remarks>
/// InUse: It was not closed well, so it says nothing.
/// </remarks>
sealed record ImageBitmap(string Name, ulong GranularityBytes, bool Recording, bool InUse);

/// <remarks>
/// Event: "extent", in the order of the disk.
/// Depth: 0 the image itself, 1 what it is based on.
/// Zero: Reads as zero. Data: Is stored.
/// Present: Some layer says so; else it is zero because none does.
/// </remarks>
sealed record ExtentEvent(string Event, ulong Start, ulong Length, uint Depth, bool Present, bool Zero, bool Data);

/// <remarks>
/// Event: "finding".
/// </remarks>
sealed record FindingEvent(string Event, string Text);

/// <remarks>
/// Event: "done", whatever the status.
/// Status: "clean", "leaks", "corrupt" or "failed"; of info and map "done" or "failed".
/// </remarks>
sealed record ImageDoneEvent(
    string Event,
    string Command,
    string Status,
    int ExitCode,
    string Filename,
    ulong? Corruptions = null,
    ulong? Leaks = null,
    ulong? TotalClusters = null,
    ulong? AllocatedClusters = null,
    ulong? CompressedClusters = null,
    ulong? ImageEndBytes = null
);
