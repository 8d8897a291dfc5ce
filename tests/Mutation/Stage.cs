// One program that tests the engine, with room for mutants: its sources are parsed and compiled once, in memory, with
// as many mutants as can be together (Switches); the result is put into a copy of the program's built folder, where it
// runs once for each. Cost: the program's own time, and two seconds for each mutant that must be compiled by itself.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using FastBackup.Dev;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;

namespace FastBackup.Tests.Mutation;

/// <summary>A way to run the program of a stage.</summary>
/// <param name="stage">Its program.</param>
/// <param name="arguments">The program's.</param>
sealed class Trial(Stage stage, string[] arguments)
{
    TimeSpan? _limit; // from its first run, without a mutant

    /// <returns>Killed, Hung, Survived or Refused.</returns>
    /// <exception cref="ArgumentException">Something fails without any mutant.</exception>
    public Verdict Try(string path, Mutant mutant)
    {
        _limit ??= stage.Prove(arguments);
        return stage.Try(arguments, _limit.Value, stage.Original(path), mutant);
    }

    /// <summary>A test came to the place of the last mutant that was tried.</summary>
    public bool HasReached => stage.HasReached;
}

sealed class Stage : IDisposable
{
    static readonly TimeSpan LimitAtLeast = TimeSpan.FromSeconds(25);
    const int LimitFactor = 4; // of the time without a mutant: the machine may be busy
    const int ProcessorSecondsAtLeast = 5;

    readonly string _folder = Directory.CreateTempSubdirectory("mutation").FullName;
    readonly string _assemblyPath;
    readonly string _programPath;
    readonly CSharpCompilation _compilation;
    CSharpCompilation _all; // with all mutants of a file that can be in it
    bool _isAll; // that is what lies in the folder
    readonly Dictionary<(string, Mutant), int> _planted = [];
    readonly Dictionary<string, TimeSpan> _proven = [];
    int _nextNumber;

    /// <param name="projectFolder">Of the program, from the root; built as Release.</param>
    /// <param name="program">The program's file, without its ending.</param>
    /// <param name="assembly">What is compiled: the program, or what it uses.</param>
    /// <param name="sourcePaths">All files of that assembly.</param>
    /// <param name="constants">Defined for the compiler.</param>
    public Stage(
        string projectFolder,
        string program,
        string assembly,
        IEnumerable<string> sourcePaths,
        string[] constants
    )
    {
        string built = Path.Combine(Repository.PathOf(projectFolder), "bin", "Release", "net10.0");
        if (!File.Exists(Path.Combine(built, program + ".dll")))
            throw new FileNotFoundException($"{projectFolder} is not built: dotnet build -c Release {projectFolder}");
        foreach (string path in Directory.GetFiles(built))
            File.Copy(path, Path.Combine(_folder, Path.GetFileName(path)));
        _assemblyPath = Path.Combine(_folder, assembly + ".dll");
        _programPath = Path.Combine(_folder, program + ".dll");
        CSharpParseOptions parsing = new(LanguageVersion.CSharp14, preprocessorSymbols: constants);
        SyntaxTree[] trees =
        [
            .. sourcePaths.Select(path =>
                CSharpSyntaxTree.ParseText(File.ReadAllText(path), parsing, path, Encoding.UTF8)
            ),
        ];
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
        _all = _compilation;
    }

    /// <summary>Puts mutants of many files into one image; what cannot be there is compiled when it is tried.</summary>
    public void Plant(IEnumerable<(string Path, List<Mutant> Mutants)> files)
    {
        CSharpCompilation asking = _compilation.AddSyntaxTrees(
            CSharpSyntaxTree.ParseText(Switches.Question, (CSharpParseOptions)_compilation.SyntaxTrees[0].Options)
        );
        (_all, _isAll) = (asking, false);
        foreach ((string path, List<Mutant> mutants) in files)
        {
            SyntaxTree original = Original(path);
            SemanticModel model = asking.GetSemanticModel(original);
            Dictionary<int, Mutant> fit = mutants.ToDictionary(_ => _nextNumber++);
            SyntaxTree planted = Switches.Plant(model, fit);
            while (
                fit.Count > 0 && UnfitIn(asking.ReplaceSyntaxTree(original, planted), planted) is { Count: > 0 } unfit
            )
            {
                foreach (int number in unfit)
                    fit.Remove(number);
                planted = Switches.Plant(model, fit);
            }
            _all = _all.ReplaceSyntaxTree(original, planted);
            foreach ((int number, Mutant mutant) in fit)
                _planted[(path, mutant)] = number;
        }
    }

    static HashSet<int> UnfitIn(CSharpCompilation compilation, SyntaxTree planted) =>
        [
            .. compilation
                .GetSemanticModel(planted)
                .GetDiagnostics()
                .Where(one => one.Severity == DiagnosticSeverity.Error)
                .SelectMany(one => Switches.Near(planted.GetRoot(), one.Location.SourceSpan)),
        ];

    /// <summary>A test came to the place of the last mutant that was tried, as far as it was one of many.</summary>
    public bool HasReached => !_isAll || File.Exists(ReachedPath);

    string ReachedPath => Path.Combine(_folder, "reached");

    /// <summary>A file that has mutants, as it is.</summary>
    public SyntaxTree Original(string path) => _compilation.SyntaxTrees.Single(tree => tree.FilePath == path);

    /// <summary>Without a mutant everything must pass; its time gives the limit for those that follow.</summary>
    public TimeSpan Prove(string[] arguments)
    {
        string name = string.Join(' ', arguments);
        if (_proven.TryGetValue(name, out TimeSpan proven))
            return proven;
        if (!TryCompileAll())
            throw new ArgumentException("the sources do not compile: " + Errors(_all));
        Stopwatch watch = Stopwatch.StartNew();
        ChildResult result = Run(arguments, TimeSpan.FromMinutes(10), -1, out string output);
        if (result.IsTimedOut || result.ExitCode != 0)
            throw new ArgumentException("the tests fail without any mutant:\n" + output);
        TimeSpan limit = watch.Elapsed * LimitFactor;
        return _proven[name] = limit > LimitAtLeast ? limit : LimitAtLeast;
    }

    /// <param name="arguments">The program's.</param>
    /// <param name="limit">How long it may run.</param>
    /// <param name="original">The file of the mutant.</param>
    /// <param name="mutant">What is wrong with it.</param>
    /// <returns>Killed, Hung, Survived or Refused.</returns>
    public Verdict Try(string[] arguments, TimeSpan limit, SyntaxTree original, Mutant mutant)
    {
        if (!_planted.TryGetValue((original.FilePath, mutant), out int number))
            number = -1;
        SourceText text = original.GetText().WithChanges(new TextChange(mutant.Span, mutant.Text));
        bool isThere =
            number >= 0
                ? TryCompileAll()
                : TryCompile(_compilation.ReplaceSyntaxTree(original, original.WithChangedText(text)));
        if (!isThere)
            return Verdict.Refused;
        ChildResult result = Run(arguments, limit, number, out _);
        return result.IsTimedOut ? Verdict.Hung
            : result.ExitCode == 0 ? Verdict.Survived
            : Verdict.Killed;
    }

    bool TryCompileAll() => _isAll || (_isAll = TryCompile(_all));

    bool TryCompile(CSharpCompilation compilation)
    {
        _isAll = false;
        using MemoryStream image = new();
        if (!compilation.Emit(image).Success)
            return false;
        File.WriteAllBytes(_assemblyPath, image.ToArray());
        return true;
    }

    /// <summary>
    /// So that what runs in circles ends soon, however busy the machine is: seconds of a processor, while the other
    /// limit is of the time that has passed.
    /// </summary>
    static string ProcessorLimit(TimeSpan limit) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"--cpu={Math.Max(ProcessorSecondsAtLeast, (int)(limit.TotalSeconds / LimitFactor))}"
        );

    ChildResult Run(string[] arguments, TimeSpan limit, int number, out string output)
    {
        File.Delete(ReachedPath);
        StringBuilder lines = new();
        ChildResult result = ChildProcess
            .RunAsync(
                "prlimit",
                [ProcessorLimit(limit), ChildProcess.Dotnet, _programPath, .. arguments],
                [
                    new("DOTNET_DbgEnableMiniDump", "0"),
                    new("DOTNET_GCHeapHardLimit", "0x180000000"),
                    new(Switches.Variable, number.ToString(CultureInfo.InvariantCulture)),
                    new(Switches.ReachedVariable, ReachedPath),
                ],
                limit,
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
            .Append(Path.Combine(folder, "ZstdSharp.dll"))
            .Where(File.Exists) // the simulator has no images
            .Select(path => MetadataReference.CreateFromFile(path));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
