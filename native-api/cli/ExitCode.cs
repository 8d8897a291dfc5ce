// What the process tells its caller. Documented in the README and in --help; scripts depend on it.
namespace FastBackup.Cli;

static class ExitCode
{
    public const int Done = 0;

    /// <summary>The work was refused or failed, or the disks differ.</summary>
    public const int Failed = 1;

    /// <summary>The command line itself is wrong; nothing was opened.</summary>
    public const int Usage = 2;

    /// <summary>128 + SIGINT, as shells count; also for SIGTERM.</summary>
    public const int Interrupted = 130;
}
