// fb_job_statistics: the engine's picture of a job in the words of the header.
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Objects;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static partial class JobCalls
{
    public static unsafe int Statistics(ulong id, StatisticsStruct* host)
    {
        if (HandleTable.Find<JobObject>(id) is not { } job)
            return Answer.Handle(JobObject.Noun).Tell();
        return StructSize.TryWrite(host, StatisticsStruct.SizeFirst, Of(job.Core.QueryStatistics())).Tell();
    }

    static StatisticsStruct Of(in JobStatistics statistics)
    {
        JobGauges gauges = statistics.Gauges;
        return new StatisticsStruct
        {
            WindowBytes = gauges.WindowBytes,
            ChunkBytes = gauges.ChunkBytes,
            DeviceBytes = gauges.DeviceBytes,
            CaptureBytes = gauges.CaptureBytes,
            CapturePeakBytes = gauges.CapturePeakBytes,
            CaptureLimitBytes = gauges.CaptureLimitBytes,
            ScratchBytes = gauges.ScratchBytes,
            ScratchLimitBytes = gauges.ScratchLimitBytes,
            SpilledBytes = gauges.SpilledBytes,
            OfferedBytes = gauges.OfferedBytes,
            BackgroundChunks = gauges.BackgroundChunks,
            GuestReads = gauges.GuestReads,
            CapturedChunks = gauges.CapturedChunks,
            SnapshotReads = gauges.SnapshotReads,
            WaitingGuests = gauges.WaitingGuests,
            GuestPriority = HostGuestPriority.NumberOf(gauges.Priority),
            ScratchStatus = Status.Of(gauges.ScratchFault.Kind),
            ScratchErrno = gauges.ScratchFault.Errno,
            GuestWaits = Of(statistics.GuestWaits),
            QuietGuests = Of(statistics.QuietGuests),
            LoadedGuests = Of(statistics.LoadedGuests),
        };
    }

    static LatencySummaryStruct Of(in LatencySummary summary) =>
        new()
        {
            Count = summary.Count,
            SumNs = summary.SumNs,
            P50Ns = summary.P50Ns,
            P99Ns = summary.P99Ns,
            MaxNs = summary.MaxNs,
        };
}
