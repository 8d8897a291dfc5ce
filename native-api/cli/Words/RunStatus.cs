// How a piece of work ended, and its word in --json and its exit code.
namespace FastBackup.Cli;

enum RunStatus
{
    Done,

    /// <summary>Nothing was begun and nothing was changed.</summary>
    Refused,

    /// <summary>Begun and ended by an error.</summary>
    Failed,

    /// <summary>Begun and ended by a signal.</summary>
    Interrupted,
}

static class RunStatusWords
{
    public static string Word(this RunStatus status) =>
        status switch
        {
            RunStatus.Done => "done",
            RunStatus.Refused => "refused",
            RunStatus.Failed => "failed",
            _ => "interrupted",
        };

    public static int ExitCode(this RunStatus status) =>
        status switch
        {
            RunStatus.Done => Cli.ExitCode.Done,
            RunStatus.Interrupted => Cli.ExitCode.Interrupted,
            _ => Cli.ExitCode.Failed,
        };
}
