// Writes the C# declarations of two C headers: native-api/include/fastbackup.h for hosts in .NET and, the other way
// round, for the library itself, and the kernel's io_uring header for the engine.
//
//   dotnet run --project interop/Generator              writes the Generated folders
//   dotnet run --project interop/Generator -- --check   changes nothing; exit code 1 and the names of files that differ
//
// Shapes come from clang's syntax tree, sizes, offsets and values from a program that gcc compiles: nothing of C is
// understood here but types and comments. Needs clang and gcc. Does not know which platform it is for: it writes what
// holds on this one, and 64-bit Linux has one layout for all that is declared.
using System;
using FastBackup.Interop.Generator;

if (args.Length > 1 || args.Length == 1 && args[0] != "--check")
{
    Console.Error.WriteLine("usage: generator [--check]");
    return 2;
}
try
{
    string root = Repository.FindRoot();
    GeneratedFile[] files =
    [
        .. HostBindings.Generate(root),
        .. LibraryExports.Generate(root),
        .. KernelBindings.Generate(),
    ];
    if (args.Length == 0)
    {
        GeneratedTree.Write(root, files);
        Console.WriteLine($"{files.Length} files written");
        return 0;
    }
    string[] differences = [.. GeneratedTree.Compare(root, files)];
    foreach (string difference in differences)
        Console.Error.WriteLine(difference);
    return differences.Length > 0 ? 1 : 0;
}
catch (GeneratorException error)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}
