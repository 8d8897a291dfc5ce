// One command to a monitor, and what is to follow it: the end of a job, with its progress, or events for a while. The
// whole is told in the command's own words, or as objects of --json.
using System;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
/// <param name="request">What to ask for.</param>
/// <param name="output">Takes results; errors too.</param>
/// <param name="interruption">Ends every wait.</param>
sealed class CtlRun(CtlRequest request, Output output, Interruption interruption)
{
    /// <summary>A question to the monitor for each picture: no more often than this.</summary>
    const int ShowMsMin = 500;

    const string Interrupted = "interrupted";

    /// <summary>How an answer is shown to people.</summary>
    static readonly JsonSerializerOptions s_indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    JsonNode? _ending;

    public int Execute()
    {
        int exitCode = Connect();
        output.Event(
            new CtlDoneEvent("done", "ctl", ExitCode.Word(exitCode), exitCode),
            JsonEvents.Readable.CtlDoneEvent
        );
        return exitCode;
    }

    int Connect()
    {
        if (MonitorLink.TryConnect(request.Socket, interruption, out MonitorLink? link) is { } sentence)
            return Fail(sentence);
        using (link)
            return Run(link!);
    }

    int Run(MonitorLink link)
    {
        JsonNode? answer = link.Ask(request.Command, request.Arguments.Json);
        if (answer == null)
            return Fail("the monitor has closed the connection");
        if (answer["error"] is { } error)
            return Fail($"{error["class"]}: {error["desc"]}{request.Arguments.Hint((string?)error["desc"] ?? "")}");
        output.AsItIs(answer["return"]?.ToJsonString(s_indented) ?? "null");
        output.Event(new CtlReturnEvent("return", answer["return"]), JsonEvents.Readable.CtlReturnEvent);
        int exitCode = request.Job == null ? ExitCode.Done : Wait(link, request.Job);
        return exitCode == ExitCode.Done && request.EventSeconds is { } seconds ? Follow(link, seconds) : exitCode;
    }

    int Wait(MonitorLink link, string job)
    {
        // An answer may overtake the events of a moment ago, but the next one does not: what a job that is not there
        // any more has told has come by then.
        JsonNode? first = Find(link, job) ?? Find(link, job);
        if ((string?)first?["status"] == "concluded")
            return Tell(job, "done", (string?)first["error"], (ulong)first["current-progress"]!);
        IProgressView view = output.CreateView();
        string? sentence = null;
        view.Run(
            "job " + job,
            (ulong?)first?["total-progress"] ?? 0,
            show => sentence = WaitForEnd(link, job, isKnown: first != null, view.IntervalMs, show)
        );
        return sentence == null ? Judge(job) : Fail(sentence);
    }

    /// <returns>Null when the job has ended, else why that is not known.</returns>
    string? WaitForEnd(MonitorLink link, string job, bool isKnown, int intervalMs, Action<WorkProgress> show)
    {
        TimeSpan interval = TimeSpan.FromMilliseconds(
            intervalMs == Timeout.Infinite ? 1000 : Math.Max(intervalMs, ShowMsMin)
        );
        long shown = Environment.TickCount64;
        while (true)
        {
            JsonNode? happened = link.NextEvent(isKnown ? interval : TimeSpan.Zero);
            if (happened != null && IsOf(happened, job) && IsEnd(happened))
                return null;
            if (interruption.IsRequested)
                return $"{Interrupted}; job '{job}' goes on: end it with job-cancel id={job}";
            if (link.IsEnded)
                return $"the monitor has closed the connection before job '{job}' ended";
            if (happened == null && !isKnown)
                return $"no job '{job}' is there; query-jobs lists them";
            if (intervalMs == Timeout.Infinite || Environment.TickCount64 - shown < interval.TotalMilliseconds)
                continue;
            shown = Environment.TickCount64;
            if (Find(link, job) is { } now)
                Show((ulong)now["current-progress"]!, (ulong)now["total-progress"]!, show);
        }
    }

    /// <summary>A job without an end of its own (sync none) has always done all of it: no picture of that.</summary>
    static void Show(ulong doneBytes, ulong totalBytes, Action<WorkProgress> show)
    {
        if (doneBytes < totalBytes)
            show(new WorkProgress(doneBytes, totalBytes, null));
    }

    /// <summary>Keeps how it ended until its status says that it has.</summary>
    bool IsEnd(JsonNode happened)
    {
        string? name = (string?)happened["event"];
        if (name is "BLOCK_JOB_COMPLETED" or "BLOCK_JOB_CANCELLED")
            _ending = happened;
        return name == "JOB_STATUS_CHANGE" && (string?)happened["data"]!["status"] is "concluded" or "null";
    }

    static bool IsOf(JsonNode happened, string job) =>
        (string?)(happened["data"]?["id"] ?? happened["data"]?["device"]) == job;

    static JsonNode? Find(MonitorLink link, string job)
    {
        foreach (JsonNode? one in link.Ask("query-jobs", [])?["return"] as JsonArray ?? [])
            if ((string?)one!["id"] == job)
                return one;
        return null;
    }

    int Judge(string job)
    {
        if (_ending == null)
            return Fail($"job '{job}' ended before it began");
        bool isCancelled = (string?)_ending["event"] == "BLOCK_JOB_CANCELLED";
        // After a command that cancels, that is the end that is waited for.
        if (isCancelled && request.Command is not ("job-cancel" or "block-job-cancel"))
            return Fail($"job '{job}' was cancelled");
        JsonNode found = _ending["data"]!;
        return Tell(job, isCancelled ? "cancelled" : "done", (string?)found["error"], (ulong)found["offset"]!);
    }

    int Tell(string job, string how, string? error, ulong bytes)
    {
        if (error != null)
            return Fail($"job '{job}' failed: {error}");
        output.Line($"job '{job}' {how}: {ByteSize.Format(bytes)}");
        output.Event(new CtlJobEvent("job", job, how, bytes), JsonEvents.Readable.CtlJobEvent);
        return ExitCode.Done;
    }

    int Follow(MonitorLink link, uint seconds)
    {
        long end = Environment.TickCount64 + seconds * 1000L;
        while (!interruption.IsRequested && !link.IsEnded && Environment.TickCount64 < end)
            if (link.NextEvent(TimeSpan.FromMilliseconds(end - Environment.TickCount64)) is { } happened)
            {
                output.AsItIs(happened.ToJsonString());
                output.Event(new CtlMonitorEvent("event", happened), JsonEvents.Readable.CtlMonitorEvent);
            }
        return interruption.IsRequested ? Fail(Interrupted)
            : link.IsEnded ? Fail("the monitor has closed the connection")
            : ExitCode.Done;
    }

    int Fail(string sentence)
    {
        bool isSaid = sentence.StartsWith(Interrupted, StringComparison.Ordinal);
        output.Error(interruption.IsRequested && !isSaid ? Interrupted : sentence);
        return interruption.IsRequested ? ExitCode.Interrupted : ExitCode.Failed;
    }
}
