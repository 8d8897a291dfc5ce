// fastbackup ctl SOCKET COMMAND [key=value...]: one command to the monitor of a host. Prints what it returns; an error
// is its class and description on stderr. May wait for a job, or show events for a while.
using System;
using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FastBackup.Cli;

static class CtlCommand
{
    public static readonly string[] Examples =
    [
        "fastbackup ctl /run/vm7.sock query-named-block-nodes",
        "fastbackup ctl /run/vm7.sock blockdev-add driver=file node-name=copy filename=/backup/vm7.img",
        "fastbackup ctl /run/vm7.sock blockdev-backup device=vda target=copy sync=full job-id=b1 --wait b1",
        "fastbackup ctl /run/vm7.sock block-job-set-speed device=b1 speed=104857600",
        "fastbackup ctl /run/vm7.sock query-jobs --events 60",
    ];

    static readonly JsonSerializerOptions s_readable = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static Command Create()
    {
        Argument<string> socket = new("SOCKET") { Description = "Path of the monitor's socket." };
        Argument<string> name = new("COMMAND") { Description = "For example query-commands, which lists all." };
        Argument<string[]> words = new("key=value")
        {
            Description = "Arguments. JSON where it parses, else text; a.b=1 is {\"a\":{\"b\":1}}.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string?> wait = new("--wait") { Description = "Then wait until this job ends.", HelpName = "JOB" };
        Option<uint?> events = new("--events")
        {
            Description = "Then print events for so long, one JSON object a line.",
            HelpName = "SECONDS",
        };
        Command command = new("ctl", "Send one command to the monitor of a running host.")
        {
            socket,
            name,
            words,
            wait,
            events,
        };
        command.Validators.Add(result =>
        {
            if (CommandArguments.TryRead(result.GetValue(words) ?? [], out _) is { } wrong)
                result.AddError(wrong);
        });
        command.SetAction(parsed =>
        {
            _ = CommandArguments.TryRead(parsed.GetValue(words) ?? [], out JsonObject arguments);
            Output output = new(isJson: false, isQuiet: false);
            return Run(
                parsed.GetRequiredValue(socket),
                parsed.GetRequiredValue(name),
                arguments,
                parsed.GetValue(wait),
                parsed.GetValue(events),
                output
            );
        });
        return command;
    }

    static int Run(string socket, string name, JsonObject arguments, string? job, uint? seconds, Output output)
    {
        using Interruption interruption = new();
        if (MonitorLink.TryConnect(socket, interruption, out MonitorLink? link) is { } sentence)
            return Fail(sentence, interruption, output);
        using (link)
        {
            JsonNode? answer = link!.Ask(name, arguments);
            if (answer == null)
                return Fail("the monitor has closed the connection", interruption, output);
            if (answer["error"] is { } error)
                return Fail($"{error["class"]}: {error["desc"]}", interruption, output);
            output.Line(answer["return"]?.ToJsonString(s_readable) ?? "null");
            bool isCancel = name is "job-cancel" or "block-job-cancel"; // then that is the end that is waited for
            int exitCode = job == null ? ExitCode.Done : Wait(link, job, isCancel, interruption, output);
            bool isFollowed = exitCode == ExitCode.Done && seconds != null;
            return isFollowed ? Follow(link, seconds!.Value, interruption, output) : exitCode;
        }
    }

    static int Wait(MonitorLink link, string job, bool isCancel, Interruption interruption, Output output)
    {
        JsonNode? ending = null;
        JsonNode? first = Find(link, job);
        if ((string?)first?["status"] == "concluded")
            return Tell(job, "done", (string?)first["error"], (ulong)first["current-progress"]!, interruption, output);
        bool isKnown = first != null;
        while (true)
        {
            JsonNode? happened = link.NextEvent(isKnown ? TimeSpan.FromSeconds(1) : TimeSpan.Zero);
            if (happened != null && IsOf(happened, job))
            {
                bool isStatus = (string?)happened["event"] == "JOB_STATUS_CHANGE";
                if (isStatus && (string?)happened["data"]!["status"] is "concluded" or "null")
                    return Judge(job, ending, isCancel, interruption, output);
                if ((string?)happened["event"] is "BLOCK_JOB_COMPLETED" or "BLOCK_JOB_CANCELLED")
                    ending = happened;
            }
            if (interruption.IsRequested || link.IsEnded)
                return Fail($"the monitor has closed the connection before job '{job}' ended", interruption, output);
            if (happened == null && !isKnown)
                return Fail($"no job '{job}' is there; query-jobs lists them", interruption, output);
        }
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

    static int Judge(string job, JsonNode? ending, bool isCancel, Interruption interruption, Output output)
    {
        if (ending == null)
            return Fail($"job '{job}' ended before it began", interruption, output);
        bool isCancelled = (string?)ending["event"] == "BLOCK_JOB_CANCELLED";
        if (isCancelled && !isCancel)
            return Fail($"job '{job}' was cancelled", interruption, output);
        JsonNode found = ending["data"]!;
        string how = isCancelled ? "cancelled" : "done";
        return Tell(job, how, (string?)found["error"], (ulong)found["offset"]!, interruption, output);
    }

    static int Tell(string job, string how, string? error, ulong bytes, Interruption interruption, Output output)
    {
        if (error != null)
            return Fail($"job '{job}' failed: {error}", interruption, output);
        output.Line(string.Create(CultureInfo.InvariantCulture, $"job '{job}' {how}: {ByteSize.Format(bytes)}"));
        return ExitCode.Done;
    }

    static int Follow(MonitorLink link, uint seconds, Interruption interruption, Output output)
    {
        long end = Environment.TickCount64 + seconds * 1000L;
        while (!interruption.IsRequested && !link.IsEnded && Environment.TickCount64 < end)
            if (link.NextEvent(TimeSpan.FromMilliseconds(end - Environment.TickCount64)) is { } happened)
                output.Line(happened.ToJsonString());
        return interruption.IsRequested ? ExitCode.Interrupted
            : link.IsEnded ? Fail("the monitor has closed the connection", interruption, output)
            : ExitCode.Done;
    }

    static int Fail(string sentence, Interruption interruption, Output output)
    {
        if (interruption.IsRequested)
            return ExitCode.Interrupted;
        output.Error(sentence);
        return ExitCode.Failed;
    }
}
