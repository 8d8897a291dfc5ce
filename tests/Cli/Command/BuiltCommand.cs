// The command that is tested: compiled ahead of time, as people have it, where the variable says where that lies (the
// whole check sets it: a program that starts at once is started some thousand times); else as it was built with these
// tests, on the runtime.
using System;
using System.IO;

namespace FastBackup.Tests.Cli.Command;

static class BuiltCommand
{
    /// <summary>As in tests/dev/SuitePlan.cs.</summary>
    public const string Variable = "FASTBACKUP_COMMAND";

    static readonly DirectoryInfo s_here = new(AppContext.BaseDirectory.TrimEnd('/'));

    /// <summary>The library that the runtime starts, as built in the same configuration as these tests.</summary>
    public static string Library { get; } =
        Repository.PathOf(Path.Combine("native-api/cli/bin", s_here.Parent!.Name, s_here.Name, "fastbackup.dll"));

    /// <summary>Ahead of time; null: nobody said where.</summary>
    public static string? Compiled { get; } = Environment.GetEnvironmentVariable(Variable);

    /// <summary>What starts it, word by word.</summary>
    public static string[] Words { get; } = Compiled != null ? [Compiled] : ["dotnet", Library];

    /// <summary>The same in a line of a shell.</summary>
    public static string Line { get; } = string.Join(' ', Words);
}
