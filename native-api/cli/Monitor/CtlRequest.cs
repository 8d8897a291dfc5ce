// What fastbackup ctl was asked for.
namespace FastBackup.Cli;

/// <param name="Socket">Path of the monitor's socket.</param>
/// <param name="Command">For the monitor.</param>
/// <param name="Arguments">Its arguments.</param>
/// <param name="Job">The job whose end is to be waited for, or null.</param>
/// <param name="EventSeconds">How long to show events, or null.</param>
sealed record CtlRequest(string Socket, string Command, CommandArguments Arguments, string? Job, uint? EventSeconds);
