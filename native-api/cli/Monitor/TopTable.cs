// The jobs of top as a table that fits: where it is narrow, columns are left out, the least needed first, and long
// names are cut. Rank 0 always stays.
using System;
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Cli;

/// <summary>Immutable.</summary>
sealed class TopTable
{
    /// <param name="Head">Above it.</param>
    /// <param name="Width">Of text to the left of it and blanks.</param>
    /// <param name="Rank">In which order columns are let in.</param>
    /// <param name="IsName">Stands at the left, may be cut.</param>
    /// <param name="Text">What a job has in it.</param>
    sealed record Column(string Head, int Width, int Rank, bool IsName, Func<TopJob, string> Text);

    static readonly Column[] s_all =
    [
        new("job", 16, 0, true, job => job.Id),
        new("disk", 10, 6, true, job => job.Disk),
        new("status", 10, 4, true, job => job.Status),
        new("done", 6, 1, false, job => job.Percent),
        new("rate", 14, 2, false, job => job.Rate),
        new("left", 8, 3, false, job => job.Left),
        new("p99 ms", 8, 5, false, job => job.LoadedP99),
        new("alone", 8, 8, false, job => job.QuietP99),
        new("captured", 11, 7, false, job => job.Captured),
        new("limit", 11, 9, false, job => job.CaptureLimit),
    ];

    const int NarrowBelow = 60;
    const int NarrowNameWidth = 10;

    readonly Column[] _columns;

    /// <param name="width">At most so many characters a line; 20 at least.</param>
    public TopTable(int width)
    {
        // The job's name gives way before a figure does.
        bool isNarrow = width < NarrowBelow;
        IEnumerable<Column> columns = s_all.Select(one =>
            one.Rank == 0 && isNarrow ? one with { Width = NarrowNameWidth } : one
        );
        int ranks = 1;
        while (ranks < s_all.Length && columns.Where(one => one.Rank <= ranks).Sum(one => one.Width) <= width)
            ranks++;
        _columns = [.. columns.Where(one => one.Rank < ranks)];
    }

    public string Head => string.Concat(_columns.Select(one => Cell(one, one.Head))).TrimEnd();

    public string Row(TopJob job) => string.Concat(_columns.Select(one => Cell(one, one.Text(job)))).TrimEnd();

    static string Cell(Column column, string text) =>
        !column.IsName ? text.PadLeft(column.Width)
        : text.Length < column.Width ? text.PadRight(column.Width)
        : text[..(column.Width - 2)] + "~ ";
}
