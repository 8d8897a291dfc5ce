// fastbackup run CONFIG.toml: options only, and the end of it: the summary, the report, the exit code.
using System;
using System.Collections.Generic;
using System.CommandLine;

namespace FastBackup.Cli;

static class RunCommand
{
    public static readonly string[] Examples =
    [
        "fastbackup run /etc/fastbackup/vm7.toml",
        "fastbackup run /etc/fastbackup/vm7.toml --check",
        "fastbackup run /etc/fastbackup/vm7.toml --json --quiet     (from cron or a systemd timer)",
    ];

    public static Command Create()
    {
        Argument<string> config = PathName.CreateArgument("CONFIG", "Configuration file in TOML.");
        Option<bool> check = FlagOption.Create(
            "--check",
            "Only say what is wrong with it; nothing it names is opened."
        );
        Command command = new("run", "Do what a configuration says: back up many disks, keep points, run hooks.")
        {
            config,
            check,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        command.SetAction(parsed =>
            Run(parsed.GetRequiredValue(config), parsed.GetValue(check), CommonOptions.CreateOutput(parsed))
        );
        return command;
    }

    static int Run(string path, bool isCheck, Output output)
    {
        RunDoneEvent refused = new("done", "run", path)
        {
            Status = RunStatus.Refused.Word(),
            ExitCode = ExitCode.Usage,
            Error = "config",
        };
        if (ConfigFile.TryOpen(path, out ConfigFile? file) is { } sentence)
        {
            output.Error(sentence);
            return End(refused with { ExitCode = ExitCode.Failed }, output);
        }
        using ConfigFile held = file!;
        RunConfig? config = ConfigReader.Read(path, held.Text, out IReadOnlyList<string> problems);
        foreach (string problem in problems)
            output.Error(problem);
        if (config == null)
            return End(refused with { Problems = problems }, output);
        if (isCheck)
        {
            output.Line(
                $"'{path}' is right: {Phrases.Number(config.Disks.Count, "disk")} into '{config.Place.Address}'"
            );
            return End(new RunDoneEvent("done", "run", path) { Status = RunStatus.Done.Word() }, output);
        }
        if (!held.TryHold())
        {
            output.Error($"another run of '{path}' is under way; nothing was done");
            return End(refused with { ExitCode = ExitCode.Failed, Error = "overlap" }, output);
        }
        using Interruption interruption = new();
        RunDoneEvent done = new ConfigRun(path, config, output, interruption).Execute();
        if (
            config.Prometheus is { } report
            && PrometheusFile.TryWrite(report, done, DateTimeOffset.UtcNow) is { } wrong
        )
        {
            output.Error(wrong);
            if (done.ExitCode == ExitCode.Done)
                done = done with { Status = RunStatus.Failed.Word(), ExitCode = ExitCode.Failed, Error = "report" };
        }
        return End(done, output);
    }

    static int End(RunDoneEvent done, Output output)
    {
        output.Event(done, JsonEvents.Readable.RunDoneEvent);
        return done.ExitCode;
    }
}
