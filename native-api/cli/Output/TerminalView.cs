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

    /// <returns>One line that fits; the bar gives way first, then the end of the text.</returns>
    static string Line(string title, in WorkProgress progress, RateMeter meter, int columns)
    {
        string figures = Phrases.Text(
            $" {progress.Percent:0} %  {ByteSize.Format(progress.DoneBytes)} / {
                ByteSize.Format(progress.TotalBytes)}  {Phrases.Rate(meter.BytesPerSecond)}  {
                Phrases.Left(meter.SecondsLeft(progress))} left"
        );
        if (progress.SkippedBytes is { } skipped)
            figures += $"  {ByteSize.Format(skipped)} zero";
        int barWidth = Math.Min(BarWidthMax, columns - 1 - title.Length - figures.Length - 3);
        string line = title + (barWidth < BarWidthMin ? "" : " " + Bar(barWidth, progress.Percent)) + figures;
        return line.Length < columns ? line : line[..(columns - 1)];
    }

    static string Bar(int width, double percent)
    {
        int filled = (int)(width * percent / 100);
        return "[" + new string('=', filled) + new string(' ', width - filled) + "]";
    }
}
