// Which point in time is meant: by the first digits of its name, "latest", or the newest that is not after a time.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using FastBackup.Repositories;

namespace FastBackup.Cli;

static class PointChoice
{
    public const string Latest = "latest";
    const int DigitsMin = 4;

    /// <returns>Null, or what is wrong with it, as the end of a sentence.</returns>
    public static string? Check(string at) =>
        at == Latest || IsDigits(at) || TryParseTime(at, out _)
            ? null
            : "is neither 'latest', nor a point's name, nor a time; give for example 2026-01-31T22:00 (UTC)";

    /// <param name="repository">Opened.</param>
    /// <param name="at">As checked.</param>
    /// <param name="disk">HOST/DISK, DISK or a path; null: any.</param>
    /// <exception cref="RepositoryException">NotFound, or Refused: it is not clear which.</exception>
    public static StoredPoint Find(OpenedRepository repository, string at, string? disk)
    {
        List<StoredPoint> all = repository.LoadSnapshots();
        if (at != Latest && IsDigits(at))
            return ByDigits(repository, all, at);
        List<StoredPoint> ofDisk = disk == null ? all : [.. all.Where(one => Has(one, disk))];
        if (at != Latest && TryParseTime(at, out DateTime time))
            ofDisk.RemoveAll(one => one.Time > time);
        if (ofDisk.Count == 0)
            throw new RepositoryException(
                RepositoryError.NotFound,
                $"repository '{repository.Store.Name}' has no point"
                    + (disk == null ? "" : $" of disk '{disk}'")
                    + (at == Latest ? "" : $" at or before {at}")
                    + "; 'fastbackup repo list' shows what it has"
            );
        // A point may have several disks: the one that was asked for is what must be clear.
        string[] disks = [.. ofDisk.Select(one => WhichOf(one, disk)).Distinct()];
        return disks.Length == 1
            ? ofDisk[^1]
            : throw new RepositoryException(
                RepositoryError.Refused,
                $"'{at}' could be a point of {disks.Length} disks ({string.Join("; ", disks.Take(8))}); give --disk"
            );
    }

    /// <summary>The newest point of one disk of a host, or null.</summary>
    public static StoredPoint? Newest(IEnumerable<StoredPoint> all, string host, string disk) =>
        all.LastOrDefault(one => one.Document.Hostname == host && Array.IndexOf(PathsOf(one), host + "/" + disk) >= 0);

    public static string[] PathsOf(StoredPoint snapshot) =>
        [.. (snapshot.Document.Paths ?? []).Select(path => path.TrimStart('/'))];

    static bool Has(StoredPoint snapshot, string disk) => PathsOf(snapshot).Any(path => Is(path, disk.Trim('/')));

    static string WhichOf(StoredPoint snapshot, string? disk) =>
        string.Join(", ", PathsOf(snapshot).Where(path => disk == null || Is(path, disk.Trim('/'))));

    static bool Is(string path, string wanted) =>
        path == wanted
        || path.EndsWith("/" + wanted, StringComparison.Ordinal)
        || wanted.StartsWith(path + "/", StringComparison.Ordinal);

    static StoredPoint ByDigits(OpenedRepository repository, List<StoredPoint> all, string digits)
    {
        StoredPoint[] fitting = [.. all.Where(one => one.Id.ToString().StartsWith(digits, StringComparison.Ordinal))];
        return fitting.Length switch
        {
            1 => fitting[0],
            0 => throw new RepositoryException(
                RepositoryError.NotFound,
                $"repository '{repository.Store.Name}' has no point '{digits}'; 'repo list' shows what it has"
            ),
            _ => throw new RepositoryException(
                RepositoryError.Refused,
                $"{fitting.Length} points of '{repository.Store.Name}' begin with '{digits}'; give more digits"
            ),
        };
    }

    static bool IsDigits(string text) =>
        text.Length is >= DigitsMin and <= BlobId.Digits && text.All(char.IsAsciiHexDigitLower);

    static bool TryParseTime(string text, out DateTime utc) =>
        DateTime.TryParse(
            text,
            CultureInfo.InvariantCulture,
            DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal,
            out utc
        ) && text.Contains('-', StringComparison.Ordinal);
}
