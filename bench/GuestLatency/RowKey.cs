// Names one row of the tables.
namespace FastBackup.Bench.GuestLatency;

/// <param name="Scenario">What goes on beside the guest.</param>
/// <param name="Load">The guest's name, or "-".</param>
/// <param name="Who">Whose host, with its tuning.</param>
readonly record struct RowKey(string Scenario, string Load, string Who)
{
    public const string Quiet = "no backup";
    public const string Alone = "no guest";
    public const string Backup = "backup";
    public const string Absorb = "absorbing";
    public const string Incremental = "incremental";
    public const string IncrementalAlone = "incremental, no guest";
    public const string Hardware = "hardware";
    public const string CopiesOnly = "copies only";
    public const string Slow = "slow target";
    public const string SlowHardware = "slow target, hardware";
    public const string Hung = "hung target";
    public const string HungCancelled = "hung, ended";
    public const string Read = "reader";
    public const string ReadTaken = "reads taken";
}
