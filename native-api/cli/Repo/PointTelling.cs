// What is told of a disk before it is read: from which point the backup goes on or why it reads all, and of a store
// that sends bills what it will be asked for at most. In a trial that is all there is, and it is told more closely.
using System;
using FastBackup.Base;
using FastBackup.Repositories;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class PointTelling(PointBackupRequest request, Output output)
{
    /// <param name="source">Begun.</param>
    /// <param name="forecast">Of a trial; null: it is done now.</param>
    public void Tell(PointSource source, DiskForecast? forecast = null)
    {
        BackupPlan plan = source.Plan!;
        SourceDisk.WarnOfUse(source.Device, "source", output);
        if (SourceDisk.IsUnfinished(source.Device))
            output.Warning(
                $"source '{source.Wanted.Path}' is marked: a backup onto it has not ended, it may hold no disk"
            );
        if (plan.Changed != null)
            output.Line(
                $"going on from point {plan.Parent!.Snapshot.Id.Short}: "
                    + $"{ByteSize.Format(plan.Changed.CountBytes())} may have changed"
            );
        else if (plan.Parent != null || source.Wanted.Tracker != null || forecast != null)
            output.Line($"reading all of it ({plan.FullReason})");
        ulong readBytes = forecast?.ReadBytes ?? plan.Changed?.CountBytes() ?? source.Device.Limits.CapacityBytes;
        StoreEstimate estimate = StoreEstimate.Of(
            readBytes,
            plan.ChunkBytes,
            (ulong)request.PackBytes,
            request.RequestsPrice,
            request.MonthPrice
        );
        ulong? likelyBytes = forecast == null ? null : LikelyBytes(plan, readBytes, estimate.SentBytes);
        if (forecast != null)
            output.Line(
                $"  would read {ByteSize.Format(readBytes)} of {ByteSize.Format(forecast.TotalBytes)}, with "
                    + $"{ByteSize.Format(forecast.SameBytes)} as in the parent and "
                    + $"{ByteSize.Format(forecast.HoleBytes)} in holes; at most "
                    + $"{ByteSize.Format(estimate.SentBytes)} stored"
                    + (likelyBytes is { } likely ? $", some {ByteSize.Format(likely)} if it is as the last time" : "")
            );
        bool isBilled = request.Place.Address.StartsWith(S3Address.Start, StringComparison.Ordinal);
        if (isBilled)
            output.Line(estimate.ToString());
        output.Event(
            new PointStartEvent(
                "point",
                request.Place.Address,
                source.Wanted.Path,
                request.Host + "/" + plan.Disk,
                plan.Mode,
                plan.FullReason,
                plan.Parent?.Snapshot.Id.ToString(),
                source.Device.Limits.CapacityBytes,
                plan.Changed?.CountBytes(),
                isBilled ? estimate.Entry : null,
                forecast == null
                    ? null
                    : new PlanEntry(
                        forecast.ReadBytes,
                        forecast.SameBytes,
                        forecast.HoleBytes,
                        estimate.SentBytes,
                        likelyBytes
                    )
            ),
            JsonEvents.Readable.PointStartEvent
        );
    }

    /// <summary>What changes is like what has changed before; of a first backup, or of one that reads again what the
    /// repository has, nobody knows.</summary>
    static ulong? LikelyBytes(BackupPlan plan, ulong readBytes, ulong mostBytes) =>
        plan is { Changed: not null, Parent.Document: { ReadBytes: > 0 } last }
            ? Math.Min(mostBytes, (ulong)((double)readBytes * last.StoredBytes / last.ReadBytes))
            : null;
}
