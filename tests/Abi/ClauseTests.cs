// One small C program per clause of the header, in Programs: compiled against the header, linked to the library, run. A
// program that ends with 0 has proven its clause; the list of files is the list of clauses.
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
    public void HostsFaultHandler_InstalledAfterTheFirstCall_GetsItsFaults() =>
        BuiltLibrary.CompileAndRun(Folder + "/process_signals.c", "after");
}
