// What the process tells its caller. Documented in the README and in --help; scripts depend on it.
namespace FastBackup.Cli;

static class ExitCode
{
    public const int Done = 0;

    /// <summary>The work was refused or failed.</summary>
    public const int Failed = 1;

    /// <summary>Of compare only: both disks were read, and they differ.</summary>
    public const int Different = 1;

    /// <summary>The command line itself is wrong; nothing was opened.</summary>
    public const int Usage = 2;

    /// <summary>Of compare only: refused or failed, so that nothing is known about the disks.</summary>
    public const int NotCompared = 3;

    /// <summary>Of check only: space is lost, and nothing else.</summary>
    public const int Leaks = 3;

    /// <summary>Of check only: the tables of the image contradict each other.</summary>
    public const int Corrupt = 4;

    /// <summary>128 + SIGINT, as shells count; also for SIGTERM.</summary>
    public const int Interrupted = 130;

    /// <summary>All of them, as help and manual pages say it.</summary>
    public static readonly (int Code, string Meaning)[] Meanings =
    [
        (Done, "done (compare: identical)"),
        (Failed, "refused or failed, one sentence on stderr (compare: different)"),
        (Usage, "the command line is wrong; nothing was opened"),
        (NotCompared, "compare: refused or failed, one sentence on stderr; check: space is lost, and nothing else"),
        (Corrupt, "check: the image is corrupt"),
        (Interrupted, "interrupted by Ctrl-C or SIGTERM; a second one ends at once"),
    ];

    /// <summary>In the last object of --json, of commands that know no more of their end.</summary>
    public static string Word(int exitCode) =>
        exitCode switch
        {
            Done => "done",
            Interrupted => "interrupted",
            _ => "failed",
        };

    /// <summary>What a failure outside the work itself is for the command that was asked for.</summary>
    /// <param name="arguments">The command line.</param>
    public static int OfFailure(string[] arguments) => arguments is ["compare", ..] ? NotCompared : Failed;
}
