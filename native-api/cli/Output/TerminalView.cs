// A progress bar with rate, time left and what was skipped, in one line that is rewritten in place and erased
// at the end. It hides no cursor and draws only from the waiting loop, so that whatever ends the program leaves
// a usable terminal.
using System;
using System.IO;

namespace FastBackup.Cli;

sealed class TerminalView(TextWriter writer) : IProgressView
{
    const int BarWidthMax = 30;
    const int BarWidthMin = 4;
    const string ToLineStart = "\r";
    const string EraseRest = "\u001b[K"; // Source: console_codes(4)

    public int IntervalMs => 100;

    public void Run(string title, ulong totalBytes, Action<Action<WorkProgress>> work)
    {
        RateMeter meter = new();
        try
        {
            work(progress =>
            {
                meter.Add(progress.DoneBytes);
                writer.Write(ToLineStart + Line(title, progress, meter, TerminalSize.Columns()) + EraseRest);
            });
        }
        finally
        {
            writer.Write(ToLineStart + EraseRest);
        }
    }

    /// <returns>One line that fits, of those that say less and less, with a bar where there is room.</returns>
    static string Line(string title, in WorkProgress progress, RateMeter meter, int columns)
    {
        string percent = Phrases.Text($" {progress.Percent:0} %");
        string left = Phrases.Text($"  {Phrases.Left(meter.SecondsLeft(progress))} left");
        string speed = Phrases.Text($"  {Phrases.Rate(meter.BytesPerSecond)}");
        string bytes = Phrases.Text(
            $"  {ByteSize.Format(progress.DoneBytes)} / {ByteSize.Format(progress.TotalBytes)}"
        );
        string zero = progress.SkippedBytes is { } skipped ? $"  {ByteSize.Format(skipped)} zero" : "";
        ReadOnlySpan<string> all =
        [
            percent + bytes + speed + left + zero,
            percent + bytes + speed + left,
            percent + speed + left,
            percent + left,
            percent,
        ];
        foreach (string figures in all)
        {
            int room = columns - 1 - title.Length - figures.Length;
            int barWidth = Math.Min(BarWidthMax, room - 3);
            if (room >= 0)
                return title + (barWidth < BarWidthMin ? "" : " " + Bar(barWidth, progress.Percent)) + figures;
        }
        return title[..Math.Min(title.Length, Math.Max(columns - 1, 0))];
    }

    static string Bar(int width, double percent)
    {
        int filled = (int)(width * percent / 100);
        return "[" + new string('=', filled) + new string(' ', width - filled) + "]";
    }
}
