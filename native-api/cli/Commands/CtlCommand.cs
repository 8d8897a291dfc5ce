// fastbackup ctl SOCKET COMMAND [key=value...]: options only; CtlRun does the work.
using System.CommandLine;

namespace FastBackup.Cli;

static class CtlCommand
{
    public static readonly string[] Examples =
    [
        "fastbackup ctl /run/vm7.sock query-named-block-nodes",
        "fastbackup ctl /run/vm7.sock blockdev-add driver=file node-name=copy filename=/backup/vm7.img",
        "fastbackup ctl /run/vm7.sock blockdev-backup device=vda target=copy sync=full job-id=b1 --wait b1",
        "fastbackup ctl /run/vm7.sock block-job-set-speed device=b1 speed=100MiB",
        "fastbackup ctl /run/vm7.sock query-jobs --events 60",
    ];

    public static Command Create()
    {
        Argument<string> socket = PathName.CreateArgument("SOCKET", "Path of the monitor's socket.");
        Argument<string> name = new("COMMAND") { Description = "For example query-commands, which lists all." };
        Argument<string[]> words = new("key=value")
        {
            Description =
                "Arguments. key=value: JSON where it parses, else text; speed=100MiB is a size. key==text: text as it "
                + "stands. key:=json: JSON. a.b=1 is {\"a\":{\"b\":1}}.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string?> wait = new("--wait")
        {
            Description = "Then wait until this job ends, and show how far it is.",
            HelpName = "JOB",
        };
        Option<uint?> events = NumberOption.Create(
            "--events",
            "SECONDS",
            "Then print events for so long, one JSON object a line.",
            uint.MaxValue,
            "a number of seconds; give for example 60"
        );
        Command command = new("ctl", "Send one command to the monitor of a running host.")
        {
            socket,
            name,
            words,
            wait,
            events,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        command.Validators.Add(result =>
        {
            if (CommandArguments.TryRead(result.GetValue(words) ?? [], out _) is { } wrong)
                result.AddError(wrong);
        });
        command.SetAction(parsed =>
        {
            _ = CommandArguments.TryRead(parsed.GetValue(words) ?? [], out CommandArguments arguments);
            CtlRequest request = new(
                parsed.GetRequiredValue(socket),
                parsed.GetRequiredValue(name),
                arguments,
                parsed.GetValue(wait),
                parsed.GetValue(events)
            );
            using Interruption interruption = new();
            return new CtlRun(request, CommonOptions.CreateOutput(parsed), interruption).Execute();
        });
        return command;
    }
}
