// One program that tests the engine, with room for mutants: its sources are parsed once; for each mutant one file is
// parsed anew, everything is compiled in memory, and the result put into a copy of the program's built folder, where
// it runs. Cost: about a second of compiling a mutant, and the program's own time.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using FastBackup.Dev;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

namespace FastBackup.Tests.Mutation;

sealed class Stage : IDisposable
{
    static readonly TimeSpan LimitAtLeast = TimeSpan.FromSeconds(20);
    const int LimitFactor = 4; // of the time without a mutant: the machine may be busy

    readonly string _folder = Directory.CreateTempSubdirectory("mutation").FullName;
    readonly string _assemblyPath;
    readonly string _programPath;
    readonly string[] _arguments;
    readonly SyntaxTree _original;
    readonly CSharpCompilation _compilation;
    TimeSpan _limit = TimeSpan.FromMinutes(10);

    /// <param name="projectFolder">Of the program, from the root; built as Release.</param>
    /// <param name="program">The program's file, without its ending.</param>
    /// <param name="assembly">What is compiled: the program, or what it uses.</param>
    /// <param name="sourcePaths">All files of that assembly.</param>
    /// <param name="constants">Defined for the compiler.</param>
    /// <param name="file">The one that has mutants; one of the sources.</param>
    /// <param name="arguments">The program's.</param>
    public Stage(
        string projectFolder,
        string program,
        string assembly,
        IEnumerable<string> sourcePaths,
        string[] constants,
        string file,
        string[] arguments
    )
    {
        string built = Path.Combine(Repository.PathOf(projectFolder), "bin", "Release", "net10.0");
        if (!File.Exists(Path.Combine(built, program + ".dll")))
            throw new FileNotFoundException($"{projectFolder} is not built: dotnet build -c Release {projectFolder}");
        foreach (string path in Directory.GetFiles(built))
            File.Copy(path, Path.Combine(_folder, Path.GetFileName(path)));
        _assemblyPath = Path.Combine(_folder, assembly + ".dll");
        _programPath = Path.Combine(_folder, program + ".dll");
        _arguments = arguments;
        CSharpParseOptions parsing = new(LanguageVersion.CSharp14, preprocessorSymbols: constants);
        SyntaxTree[] trees =
        [
            .. sourcePaths.Select(path =>
                CSharpSyntaxTree.ParseText(File.ReadAllText(path), parsing, path, Encoding.UTF8)
            ),
        ];
        _original = trees.Single(tree => tree.FilePath == file);
        _compilation = CSharpCompilation.Create(
            assembly,
            trees,
            ReferencesOf(_folder),
            new CSharpCompilationOptions(
                _assemblyPath == _programPath ? OutputKind.ConsoleApplication : OutputKind.DynamicallyLinkedLibrary,
                optimizationLevel: OptimizationLevel.Release,
                allowUnsafe: true,
                nullableContextOptions: NullableContextOptions.Enable
            )
        );
    }

    /// <summary>The file that has mutants, as it is.</summary>
    public SyntaxTree Original => _original;

    /// <summary>Without a mutant everything must pass; its time gives the limit for the others.</summary>
    /// <returns>What went wrong, or null.</returns>
    public string? Prove()
    {
        if (!TryCompile(_compilation))
            return "the sources do not compile: " + Errors(_compilation);
        Stopwatch watch = Stopwatch.StartNew();
        ChildResult result = Run(out string output);
        if (result.IsTimedOut || result.ExitCode != 0)
            return "the tests fail without any mutant:\n" + output;
        TimeSpan limit = watch.Elapsed * LimitFactor;
        _limit = limit > LimitAtLeast ? limit : LimitAtLeast;
        return null;
    }

    /// <returns>Killed, Hung, Survived or Refused.</returns>
    public Verdict Try(Mutant mutant)
    {
        SourceText text = _original.GetText().WithChanges(new TextChange(mutant.Span, mutant.Text));
        if (!TryCompile(_compilation.ReplaceSyntaxTree(_original, _original.WithChangedText(text))))
            return Verdict.Refused;
        ChildResult result = Run(out _);
        return result.IsTimedOut ? Verdict.Hung
            : result.ExitCode == 0 ? Verdict.Survived
            : Verdict.Killed;
    }

    bool TryCompile(CSharpCompilation compilation)
    {
        using MemoryStream image = new();
        if (!compilation.Emit(image).Success)
            return false;
        File.WriteAllBytes(_assemblyPath, image.ToArray());
        return true;
    }

    ChildResult Run(out string output)
    {
        StringBuilder lines = new();
        ChildResult result = ChildProcess
            .RunAsync(
                ChildProcess.Dotnet,
                [_programPath, .. _arguments],
                [new("DOTNET_DbgEnableMiniDump", "0"), new("DOTNET_GCHeapHardLimit", "0x180000000")],
                _limit,
                line => lines.AppendLine(line),
                CancellationToken.None
            )
            .GetAwaiter()
            .GetResult();
        output = lines.ToString();
        return result;
    }

    static string Errors(CSharpCompilation compilation) =>
        string.Join('\n', compilation.GetDiagnostics().Where(one => one.Severity == DiagnosticSeverity.Error).Take(5));

    static IEnumerable<MetadataReference> ReferencesOf(string folder)
    {
        string runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        string known = (string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!;
        return known
            .Split(Path.PathSeparator)
            .Where(path => Path.GetDirectoryName(path) == runtime)
            .Append(Path.Combine(folder, "FastBackup.Interop.dll"))
            .Select(path => MetadataReference.CreateFromFile(path));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
