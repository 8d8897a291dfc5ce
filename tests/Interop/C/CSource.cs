// A C file that a test writes: compiled, and run where it prints something.
using System;
using System.IO;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Interop.C;

static class CSource
{
    static string IncludeOption => "-I" + Repository.PathOf("native-api/include");

    /// <summary>Compiles only, warnings as errors: what does not fit does not compile.</summary>
    /// <param name="source">The whole file.</param>
    /// <param name="options">More for the compiler.</param>
    public static ToolRun Check(string source, params string[] options) =>
        InFolder(
            source,
            file => ToolRun.Of("gcc", [.. options, "-Wall", "-Werror", "-fsyntax-only", IncludeOption, file])
        );

    /// <summary>Compiles and runs.</summary>
    /// <returns>The lines it printed.</returns>
    public static string[] Run(string source) =>
        InFolder(
            source,
            file =>
            {
                string program = file + ".out";
                ToolRun compiled = ToolRun.Of("gcc", ["-Wall", "-Werror", IncludeOption, file, "-o", program]);
                Assert.True(compiled.ExitCode == 0, compiled.Output);
                return ToolRun.Of(program, []).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            }
        );

    static T InFolder<T>(string source, Func<string, T> use)
    {
        Requires.Command("gcc");
        string folder = Directory.CreateTempSubdirectory("fastbackup-interop-").FullName;
        try
        {
            string file = Path.Combine(folder, "source.c");
            File.WriteAllText(file, source);
            return use(file);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
