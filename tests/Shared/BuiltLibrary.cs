// The library as it is shipped, built once per run of the tests by its own build script, and C programs that are
// compiled against it.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests;

/// <summary>Threads: any.</summary>
public static class BuiltLibrary
{
    static readonly string s_flags = string.Join(
        ' ',
        System
            .IO.File.ReadLines("/proc/cpuinfo")
            .Where(line => line.StartsWith("flags", StringComparison.Ordinal))
            .Take(1)
    );

    /// <summary>
    /// What is built, the lowest first: that and what this processor's loader takes, since each costs a minute or two;
    /// all three where FASTBACKUP_LEVELS is all, or packages are made.
    /// </summary>
    public static IReadOnlyList<string> Levels { get; } = ChooseLevels();

    // Three levels from nothing, on a machine that does other work: one that is too short fails every test at once.
    static readonly TimeSpan BuildTimeLimit = TimeSpan.FromMinutes(20);

    static readonly Lazy<string> Stage = new(() => Build([.. Levels]));
    static readonly Lazy<string> Baseline = new(() => Build("v1"));
    static readonly Lazy<string> Programs = new(() =>
        Directory.CreateDirectory(Repository.PathOf("tests/Abi/bin/programs")).FullName
    );

    /// <summary>The folder with include and lib.</summary>
    public static string Folder => Stage.Value;

    public static string LibraryFolder => Path.Combine(Folder, "lib");

    public static string File => Path.Combine(LibraryFolder, "libfastbackup.so.1");

    /// <summary>The same file for those who need no other level, which are then not built.</summary>
    public static string BaselineFile => Path.Combine(Baseline.Value, "lib", "libfastbackup.so.1");

    /// <param name="level">One of <see cref="Levels"/>.</param>
    public static string LevelFile(string level) =>
        level == Levels[0]
            ? File
            : Path.Combine(LibraryFolder, "glibc-hwcaps", "x86-64-" + level, "libfastbackup.so.1");

    /// <summary>Compiles a C program with warnings as errors and links it to the library.</summary>
    /// <param name="source">From the root of the tree.</param>
    /// <param name="options">More for the compiler.</param>
    /// <returns>The program's path.</returns>
    public static string Compile(string source, params string[] options) =>
        CompileAs(Path.GetFileNameWithoutExtension(source), source, options);

    /// <summary>The same under another name, for tests that run beside those that have the program already.</summary>
    /// <inheritdoc cref="Compile"/>
    public static string CompileAs(string name, string source, params string[] options)
    {
        string program = Path.Combine(Programs.Value, name);
        string[] fixedOptions =
        [
            "-std=c99",
            "-O2",
            "-D_GNU_SOURCE",
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
            "-I" + Path.Combine(Folder, "include"),
            Repository.PathOf(source),
            "-o",
            program,
            "-L" + LibraryFolder,
            "-lfastbackup",
            "-lpthread",
            "-ldl",
        ];
        ToolRun run = ToolRun.Of("gcc", [.. options, .. fixedOptions]);
        Assert.True(run.ExitCode == 0, run.Output);
        return program;
    }

    /// <summary>Runs a program with the library, as the loader chooses its level.</summary>
    public static ToolRun Run(string program, params string[] arguments) =>
        ToolRun.Of(program, arguments, ("LD_LIBRARY_PATH", LibraryFolder));

    /// <summary>Compiles and runs; the program says by its exit code whether its clause holds.</summary>
    /// <returns>What it printed.</returns>
    public static string CompileAndRun(string source, params string[] arguments)
    {
        ToolRun run = Run(Compile(source), arguments);
        Assert.True(run.ExitCode == 0, $"exit code {run.ExitCode}\n{run.Output}");
        return run.Output;
    }

    /// <summary>Whether this processor runs a level.</summary>
    public static bool IsRunHere(string level) =>
        level == "v1" || s_flags.Contains(level == "v4" ? "avx512vl" : "avx2", StringComparison.Ordinal);

    static string[] ChooseLevels()
    {
        string[] all = ["v1", "v3", "v4"];
        bool isAll =
            Environment.GetEnvironmentVariable("FASTBACKUP_LEVELS") == "all"
            || Environment.GetEnvironmentVariable("FASTBACKUP_PACKAGES") != null;
        return isAll ? all : [.. new[] { all[0], all.Last(IsRunHere) }.Distinct()];
    }

    static string Build(params string[] levels)
    {
        Requires.Command("gcc");
        ToolRun run = ToolRun.Of(BuildTimeLimit, Repository.PathOf("native-api/packaging/build"), levels);
        Assert.True(run.ExitCode == 0, run.Output);
        return Repository.PathOf("native-api/lib/bin/stage");
    }
}
