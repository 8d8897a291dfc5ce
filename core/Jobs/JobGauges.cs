// What a job has in its hands at one moment, and how its guests fare: for people and for scripts.
using FastBackup.Base;
using FastBackup.Pacing;

namespace FastBackup.Jobs;

/// <param name="WindowBytes">What the governor lets the devices have of the background now.</param>
/// <param name="ChunkBytes">And the longest chunk.</param>
/// <param name="Priority">Whom the governor is for.</param>
/// <param name="DeviceBytes">What the devices have of this copy.</param>
/// <param name="BackgroundChunks">Of the background in flight.</param>
/// <param name="GuestReads">Chunks being read for a guest that waits.</param>
/// <param name="CapturedChunks">In memory, waiting for the target.</param>
/// <param name="SnapshotReads">Of readers of the snapshot, in flight.</param>
/// <param name="WaitingGuests">Requests of guests of the disk that wait now, whomever for.</param>
/// <param name="CaptureBytes">Memory that guests' copies hold.</param>
/// <param name="CapturePeakBytes">The most of it at once so far.</param>
/// <param name="CaptureLimitBytes">The most that they may.</param>
/// <param name="ScratchBytes">Old data in scratch space.</param>
/// <param name="ScratchLimitBytes">Its size; 0 = none.</param>
/// <param name="ScratchFault">Why it takes nothing any more.</param>
/// <param name="SpilledBytes">Written to it so far.</param>
/// <param name="OfferedBytes">Taken from guests' reads so far.</param>
public readonly record struct JobGauges(
    ulong WindowBytes,
    ulong ChunkBytes,
    GuestPriority Priority,
    ulong DeviceBytes,
    uint BackgroundChunks,
    uint GuestReads,
    uint CapturedChunks,
    uint SnapshotReads,
    uint WaitingGuests,
    ulong CaptureBytes,
    ulong CapturePeakBytes,
    ulong CaptureLimitBytes,
    ulong ScratchBytes,
    ulong ScratchLimitBytes,
    Fault ScratchFault,
    ulong SpilledBytes,
    ulong OfferedBytes
);

/// <param name="Gauges">As of the last change.</param>
/// <param name="GuestWaits">How long guests' writes waited for copies of this job; the sum is the stall time.</param>
/// <param name="QuietGuests">Requests through the engine while no copy loaded the disk, since it was opened.</param>
/// <param name="LoadedGuests">And while one did.</param>
public readonly record struct JobStatistics(
    JobGauges Gauges,
    LatencySummary GuestWaits,
    LatencySummary QuietGuests,
    LatencySummary LoadedGuests
);
