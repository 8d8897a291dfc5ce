// One small C program per clause of the header, in Programs: compiled against the header, linked to the library, run. A
// program that ends with 0 has proven its clause; the list of files is the list of clauses.
using System.Globalization;
using System.IO;
using System.Linq;
using FastBackup.Tests.Abi.Machine;
using Xunit;

namespace FastBackup.Tests.Abi;

public sealed class ClauseTests
{
    const string Folder = "tests/Abi/Programs";

    public static TheoryData<string> Programs =>
        [
            .. Directory
                .EnumerateFiles(Repository.PathOf(Folder), "*.c")
                .Select(path => Path.GetFileNameWithoutExtension(path))
                .Order(System.StringComparer.Ordinal),
        ];

    [Theory]
    [MemberData(nameof(Programs))]
    public void Clause_Holds(string program) => BuiltLibrary.CompileAndRun($"{Folder}/{program}.c");

    [Fact]
    public void RandomCalls_FiftyMillionOfThem_CrashNothing()
    {
        string output = BuiltLibrary.CompileAndRun(Folder + "/random_calls.c", "50", "2");
        Assert.True(long.Parse(output.Split(' ')[0], CultureInfo.InvariantCulture) >= 50_000_000, output);
    }

    [Fact]
    public void HooksFromThreads_OfAnEngineWithoutOne_SeeOneInstant() =>
        BuiltLibrary.CompileAndRun(Folder + "/hooks_from_threads.c", "driven");

    [Fact]
    public void SecondRuntime_InOneProcess_Works()
    {
        string copy = Path.Combine(Path.GetTempPath(), $"second-{System.Environment.ProcessId}.so");
        File.Copy(BuiltLibrary.File, copy, overwrite: true);
        BuiltLibrary.CompileAndRun(Folder + "/process_second_runtime.c", copy);
        File.Delete(copy);
    }

    [Fact]
    public void CallsOfTheIoPath_AllocateNothing() =>
        BuiltLibrary.CompileAndRun("bench/Abi/cost_per_call.c", "1000000");

    [Fact]
    public void HostsFaultHandler_InstalledAfterTheFirstCall_GetsItsFaults() =>
        BuiltLibrary.CompileAndRun(Folder + "/process_signals.c", "after");
}
