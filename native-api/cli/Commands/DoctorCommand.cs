// fastbackup doctor [PATH]: examines, prints, and says under each shortfall what to do about it.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Linq;
using FastBackup.Base;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class DoctorCommand
{
    public static readonly string[] Examples =
    [
        "fastbackup doctor",
        "fastbackup doctor /var/backups",
        "fastbackup doctor disk.img --json",
    ];

    public static Command Create()
    {
        Argument<string?> path = PathName.CreateOptionalArgument(
            "PATH",
            "File, folder or block device to examine as well."
        );
        Command command = new("doctor", "Show what this machine offers, and what to do about each shortfall.")
        {
            path,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        command.SetAction(parsed => Run(parsed.GetValue(path), CommonOptions.CreateOutput(parsed)));
        return command;
    }

    static int Run(string? path, Output output)
    {
        List<Finding> findings = [];
        string? sentence = null;
        Fault fault = Engine.TryOpen(MachineExamination.EngineOptions, out Engine? engine);
        if (fault.IsFault)
            sentence = $"cannot take the usual I/O memory: {fault}; free some, or give backup less --memory";
        else
            using (engine)
                sentence = Examine(engine!, path, findings);
        int exitCode = sentence == null ? ExitCode.Done : ExitCode.Failed;
        foreach (Finding finding in findings)
            Write(finding, output);
        int adviceCount = findings.Count(finding => finding.Advice != null);
        if (sentence != null)
            output.Error(sentence, fault);
        else
            output.Entry("", Sum(adviceCount));
        output.Event(
            new DoctorDoneEvent(
                "done",
                "doctor",
                sentence == null ? "done" : "refused",
                exitCode,
                findings,
                adviceCount
            ),
            JsonEvents.Readable.DoctorDoneEvent
        );
        return exitCode;
    }

    static string Sum(int adviceCount) =>
        adviceCount switch
        {
            0 => "Nothing is in the way; 'fastbackup demo' shows a backup from end to end.",
            1 => "One thing can be better: what stands behind '->'.",
            _ => Phrases.Text($"{adviceCount} things can be better: what stands behind '->'."),
        };

    static string? Examine(Engine engine, string? path, List<Finding> findings)
    {
        findings.AddRange(MachineExamination.Examine(engine));
        if (path == null)
            return null;
        string? sentence = PathExamination.TryExamine(engine.Reactor, path, out Finding? finding);
        if (finding != null)
            findings.Add(finding);
        return sentence;
    }

    static void Write(Finding finding, Output output)
    {
        output.Entry($"{finding.Subject, -13} ", finding.Found);
        if (finding.Advice != null)
            output.Entry($"{"", -13} -> ", finding.Advice);
    }
}
