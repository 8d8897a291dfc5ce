// The command that is measured: compiled ahead of time, as people have it.
namespace FastBackup.Bench.Report;

static class OurCommand
{
    /// <param name="arguments">One each.</param>
    /// <param name="prepare">Before each run, not measured; null: nothing.</param>
    public static RaceCommand With(string[] arguments, System.Action? prepare = null) =>
        new(BuiltFiles.Command, arguments, prepare);
}
