// Which points of one disk stay: the newest ones, and of each day, week, month and year that has one the newest,
// until so many are found. A point that any rule wants stays. Times are UTC; weeks are ISO weeks.
using System;
using System.Collections.Generic;
using System.Globalization;
using FastBackup.Repositories;

namespace FastBackup.Cli;

static class Retention
{
    /// <param name="points">Of one disk, oldest first.</param>
    /// <param name="rules">What to keep.</param>
    public static HashSet<BlobId> Keep(IReadOnlyList<StoredPoint> points, ForgetRequest rules)
    {
        HashSet<BlobId> kept = [];
        for (int i = 0; i < rules.Last && i < points.Count; i++)
            _ = kept.Add(points[points.Count - 1 - i].Id);
        KeepOnePer(points, rules.Daily, time => time.ToString("yyyyMMdd", CultureInfo.InvariantCulture), kept);
        KeepOnePer(points, rules.Weekly, WeekOf, kept);
        KeepOnePer(points, rules.Monthly, time => time.ToString("yyyyMM", CultureInfo.InvariantCulture), kept);
        KeepOnePer(points, rules.Yearly, time => time.ToString("yyyy", CultureInfo.InvariantCulture), kept);
        foreach (StoredPoint point in points)
        foreach (string tag in point.Document.Tags ?? [])
            if (Array.IndexOf(rules.Tags, tag) >= 0)
                _ = kept.Add(point.Id);
        return kept;
    }

    static string WeekOf(DateTime time) =>
        string.Create(CultureInfo.InvariantCulture, $"{ISOWeek.GetYear(time)}-{ISOWeek.GetWeekOfYear(time)}");

    static void KeepOnePer(
        IReadOnlyList<StoredPoint> points,
        int count,
        Func<DateTime, string> periodOf,
        HashSet<BlobId> kept
    )
    {
        string last = "";
        for (int i = points.Count - 1; i >= 0 && count > 0; i--)
        {
            string period = periodOf(points[i].Time);
            if (period == last)
                continue;
            last = period;
            count--;
            _ = kept.Add(points[i].Id);
        }
    }
}
