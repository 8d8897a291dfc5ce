// What of this tree is measured as people have it, compiled ahead of time: command and library. Built before the clock
// of the report starts, so that no figure is of an older tree; what is up to date is not compiled again.
using System;
using System.IO;
using System.Threading;
using FastBackup.Tests;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

static class BuiltFiles
{
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(20);
    static readonly string s_commandFolder = Repository.PathOf("native-api/cli/bin/ahead-of-time");
    static readonly string s_stage = Repository.PathOf("native-api/lib/bin/stage");

    public static string Command => Path.Combine(s_commandFolder, "fastbackup");

    public static string LibraryFolder => Path.Combine(s_stage, "lib");

    public static string IncludeFolder => Path.Combine(s_stage, "include");

    /// <exception cref="PeerException">The compiler failed.</exception>
    public static void Build(CancellationToken cancel)
    {
        string[] publish =
        [
            "publish",
            Repository.PathOf("native-api/cli"),
            .. (string[])["-c", "Release", "-v", "quiet", "-nologo", "-p:AheadOfTime=true", "-p:RunAnalyzers=false"],
            .. (string[])["-o", s_commandFolder],
        ];
        Run("dotnet", publish, cancel);
        Run(Repository.PathOf("native-api/packaging/build"), ["v1"], cancel);
    }

    static void Run(string program, string[] arguments, CancellationToken cancel)
    {
        using RunningProgram build = RunningProgram.Start(program, arguments, ("MSBUILDDISABLENODEREUSE", "1"));
        _ = build.WaitForSuccess(s_limit, cancel);
    }
}
