// The command that is measured: compiled ahead of time, as people have it, where that was built; else on the runtime.
using System.IO;
using FastBackup.Tests;

namespace FastBackup.Bench.Report;

static class OurCommand
{
    static readonly string s_compiled = Repository.PathOf("native-api/cli/bin/ahead-of-time/fastbackup");
    static readonly string s_library = Repository.PathOf("native-api/cli/bin/Release/net10.0/fastbackup.dll");

    public static bool IsCompiled => File.Exists(s_compiled);

    public static RaceCommand With(string[] arguments, System.Action? prepare = null) =>
        IsCompiled
            ? new RaceCommand(s_compiled, arguments, prepare)
            : new RaceCommand("dotnet", [s_library, .. arguments], prepare);

    /// <summary>What starts it, word by word.</summary>
    public static string[] Words => IsCompiled ? [s_compiled] : ["dotnet", s_library];
}
