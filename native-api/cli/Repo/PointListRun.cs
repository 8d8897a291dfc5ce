// What a repository has: its points, one point's disks, its keys.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Repositories;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class PointListRun(RepositoryWork work)
{
    readonly Output _output = work.Output;

    /// <param name="disk">Only points of this one; null: all.</param>
    public int List(string? disk) =>
        work.Run(
            new RepositoryDoneEvent("done", "repo", "list"),
            done =>
            {
                OpenedRepository repository = work.Open();
                PointEntry[] points =
                [
                    .. repository
                        .LoadSnapshots()
                        .Select(EntryOf)
                        .Where(one => disk == null || one.Disks.Any(path => IsOf(path, disk))),
                ];
                work.Warn();
                foreach (PointEntry point in points)
                    _output.Line(
                        $"{point.Id[..8]}  {TimeOf(point.Time)}  {string.Join(", ", point.Disks)}"
                            + (point.Tags == null ? "" : "  [" + string.Join(", ", point.Tags) + "]")
                    );
                _output.Line($"{Phrases.Number(points.Length, "point")} in '{repository.Store.Name}' (times are UTC)");
                return done with { Points = points };
            }
        );

    public int Show(string at, string? disk) =>
        work.Run(
            new RepositoryDoneEvent("done", "repo", "show"),
            done =>
            {
                OpenedRepository repository = work.Open();
                StoredPoint point = PointChoice.Find(repository, at, disk);
                repository.LoadIndex();
                work.Warn();
                PointDiskEntry[] disks = [.. PointDisk.FindAll(repository, point).Select(EntryOf)];
                _output.Line($"point {point.Id} of {TimeOf(point.Document.Time)} UTC, host {point.Document.Hostname}");
                foreach (PointDiskEntry one in disks)
                    Show(one);
                return done with { Point = point.Id.ToString(), Disks = disks };
            }
        );

    public int Keys() =>
        work.Run(
            new RepositoryDoneEvent("done", "repo", "keys"),
            done =>
            {
                OpenedRepository repository = work.Open();
                List<KeyEntry> keys =
                [
                    .. new KeyFiles(repository.Store)
                        .List()
                        .Select(key => new KeyEntry(
                            key.Name,
                            key.Document?.Created,
                            key.Document?.Username,
                            key.Document?.Hostname,
                            key.Name == repository.KeyName
                        )),
                ];
                foreach (KeyEntry key in keys)
                    _output.Line(
                        $"{(key.IsCurrent ? "*" : " ")} {key.Id[..8]}  {TimeOf(key.Created ?? "")}  "
                            + $"{key.Username}@{key.Hostname}"
                    );
                return done with { Keys = keys };
            }
        );

    public static PointEntry EntryOf(StoredPoint snapshot) =>
        new(
            snapshot.Id.ToString(),
            RepositoryTime.Format(snapshot.Time),
            snapshot.Document.Hostname,
            PointChoice.PathsOf(snapshot),
            snapshot.Document.Tags
        );

    static bool IsOf(string path, string disk) =>
        path == disk.Trim('/') || path.EndsWith("/" + disk.Trim('/'), StringComparison.Ordinal);

    static string TimeOf(string time) =>
        RepositoryTime.TryParse(time, out DateTime utc)
            ? utc.ToString("yyyy-MM-dd HH:mm:ss", System.Globalization.CultureInfo.InvariantCulture)
            : time;

    static PointDiskEntry EntryOf(PointDisk disk) =>
        new(
            disk.Path,
            disk.SizeBytes,
            disk.Document?.Source,
            disk.Document?.Mode,
            disk.Document?.Reason,
            disk.Document?.Parent,
            disk.Document?.Checkpoint,
            disk.Document?.ChunkBytes,
            disk.Document?.ReadBytes,
            disk.Document?.StoredBytes
        );

    void Show(PointDiskEntry disk)
    {
        _output.Line($"  {disk.Disk}  {ByteSize.Format(disk.SizeBytes)}");
        if (disk.Mode == null)
            return;
        string reason = disk.Reason == null ? "" : $" ({disk.Reason})";
        _output.Line(
            $"    {disk.Mode}{reason} of '{disk.Source}', {ByteSize.Format(disk.ReadBytes ?? 0)} read, "
                + $"{ByteSize.Format(disk.StoredBytes ?? 0)} stored, chunks of {ByteSize.Format(disk.ChunkBytes ?? 0)}"
        );
    }
}
