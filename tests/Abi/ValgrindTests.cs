// The clauses under valgrind's memcheck: the library reads and writes no memory of the host that it should not, and
// leaves no field undefined that the host then looks at. Without io_uring, because valgrind holds all threads while one
// waits in io_uring_enter; without the programs that count threads, signals, memory or time, or take minutes so.
using System.IO;
using System.Linq;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Abi;

/// <summary>In two classes, so that two processors have them at once.</summary>
public sealed class ValgrindFirstHalfTests : ValgrindTests
{
    [Theory]
    [MemberData(nameof(FirstHalf))]
    public void Clause_TouchesOnlyWhatIsThere(string program) => Run(program);
}

public sealed class ValgrindSecondHalfTests : ValgrindTests
{
    [Theory]
    [MemberData(nameof(SecondHalf))]
    public void Clause_TouchesOnlyWhatIsThere(string program) => Run(program);
}

public abstract class ValgrindTests
{
    const string Folder = "tests/Abi/Programs";

    static readonly string[] Unfit =
    [
        "engine_bug", // io_uring is what it is about
        "host_driven", // likewise
        "monitor_driven",
        "hooks_from_threads",
        "random_calls",
        "struct_sizes", // opens engines of its own, with io_uring
    ];

    public static TheoryData<string> FirstHalf => [.. Programs().Where((_, i) => i % 2 == 0)];

    public static TheoryData<string> SecondHalf => [.. Programs().Where((_, i) => i % 2 == 1)];

    static string[] Programs() =>
        [
            .. Directory
                .EnumerateFiles(Repository.PathOf(Folder), "*.c")
                .Select(path => Path.GetFileNameWithoutExtension(path))
                .Where(name => !name.StartsWith("process_", System.StringComparison.Ordinal) && !Unfit.Contains(name))
                .Order(System.StringComparer.Ordinal),
        ];

    protected static void Run(string program)
    {
        Requires.Command("valgrind");
        ToolRun run = ToolRun.Of(
            "valgrind",
            [
                "--quiet",
                "--fair-sched=yes",
                "--error-exitcode=99",
                "--suppressions=" + Repository.PathOf("tests/Abi/valgrind.supp"),
                BuiltLibrary.CompileAs("valgrind_" + program, $"{Folder}/{program}.c", "-g"),
            ],
            ("LD_LIBRARY_PATH", BuiltLibrary.LibraryFolder),
            ("WITHOUT_IO_URING", "1")
        );
        Assert.True(run.ExitCode == 0, $"exit code {run.ExitCode}\n{run.Output}");
    }
}
