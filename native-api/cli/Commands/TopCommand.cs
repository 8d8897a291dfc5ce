// fastbackup top SOCKET: the jobs of a running host once a second: how far, how fast, how long yet, how its guests fare
// and how full the memory for their old data is.
using System;
using System.CommandLine;
using System.Text.Json.Nodes;
using System.Threading;

namespace FastBackup.Cli;

static class TopCommand
{
    const int IntervalMs = 1000;
    const int FirstMs = 300; // a rate needs two looks

    public static readonly string[] Examples =
    [
        "fastbackup top /run/vm7.sock",
        "fastbackup top /run/vm7.sock --once",
        "fastbackup top /run/vm7.sock --json",
    ];

    public static Command Create()
    {
        Argument<string> socket = PathName.CreateArgument("SOCKET", "Path of the monitor's socket.");
        Option<bool> once = FlagOption.Create("--once", "Show it once and end.");
        Command command = new("top", "Show the jobs of a running host, live.") { socket, once, CommonOptions.Json };
        command.SetAction(parsed =>
            Run(
                parsed.GetRequiredValue(socket),
                parsed.GetValue(once),
                new Output(parsed.GetValue(CommonOptions.Json), isQuiet: false)
            )
        );
        return command;
    }

    static int Run(string socket, bool isOnce, Output output)
    {
        using Interruption interruption = new();
        string? sentence = MonitorLink.TryConnect(socket, interruption, out MonitorLink? link);
        using (link)
            sentence ??= Show(link!, isOnce, output, interruption);
        int exitCode =
            interruption.IsRequested ? ExitCode.Interrupted
            : sentence != null ? ExitCode.Failed
            : ExitCode.Done;
        if (exitCode == ExitCode.Failed)
            output.Error(sentence!);
        output.Event(
            new TopDoneEvent("done", "top", ExitCode.Word(exitCode), exitCode),
            JsonEvents.Readable.TopDoneEvent
        );
        return exitCode;
    }

    static string? Show(MonitorLink link, bool isOnce, Output output, Interruption interruption)
    {
        TopView view = new(output);
        for (int look = 0; !interruption.IsRequested; look++)
        {
            JsonNode? answer = link.Ask("x-query-statistics", []);
            if (interruption.IsRequested)
                return null;
            if (answer?["error"] is { } error)
                return $"{error["class"]}: {error["desc"]}";
            if (answer?["return"] is not JsonArray jobs)
                return "the monitor has closed the connection";
            view.Take(jobs);
            bool isShown = !isOnce || look == 1 || jobs.Count == 0;
            if (isShown)
                view.Show(jobs);
            if (isShown && isOnce)
                return null;
            while (link.NextEvent(TimeSpan.Zero) != null)
            {
                // Statistics say it all.
            }
            _ = interruption.Event.WaitOne(isOnce ? FirstMs : IntervalMs);
        }
        return null;
    }
}
