// A progress bar with rate, time left and what was skipped, redrawn in place.
using System;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FastBackup.Cli;

sealed class TerminalView : IProgressView
{
    sealed class FiguresColumn : ProgressColumn
    {
        public string Figures { get; set; } = "";

        public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
            new Text(Figures) { Overflow = Overflow.Ellipsis };
    }

    public int IntervalMs => 100;

    public void Run(string title, ulong totalBytes, Action<Action<WorkProgress>> work)
    {
        RateMeter meter = new();
        FiguresColumn figures = new();
        AnsiConsole
            .Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn { Width = 24 }, figures)
            .Start(context =>
            {
                ProgressTask task = context.AddTask(Markup.Escape(title), maxValue: 100);
                work(progress =>
                {
                    meter.Add(progress.DoneBytes);
                    task.Value = progress.Percent;
                    figures.Figures = Phrases.Text(
                        $"{progress.Percent:0} %  {ByteSize.Format(progress.DoneBytes)} of {
                            ByteSize.Format(progress.TotalBytes)}  {Phrases.Rate(meter.BytesPerSecond)}  {
                            Phrases.Left(meter.SecondsLeft(progress))} left  zero {
                            ByteSize.Format(progress.SkippedBytes)}"
                    );
                });
            });
    }
}
