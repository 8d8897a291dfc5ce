// The engine with a counter at each branch of what speaks NBD or knows images, and this program once more over it: both
// in a context of their own, so that no file of the build is changed and the engine without counters is never loaded.
using System;
using System.IO;
using System.Reflection;
using System.Runtime.Loader;
using SharpFuzz;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: one.</summary>
sealed class InstrumentedEngine : AssemblyLoadContext
{
    const string EngineName = "FastBackup.Core";
    const string RunnerName = "FastBackup.Tests.Fuzz";

    static readonly string[] s_namespaces = ["FastBackup.Serving.", "FastBackup.Devices.Nbd.", "FastBackup.Formats."];

    readonly string _folder;
    readonly byte[] _engine;

    /// <param name="folder">With both assemblies.</param>
    public InstrumentedEngine(string folder)
    {
        _folder = folder;
        string copy = Path.Combine(Directory.CreateTempSubdirectory("fb-fuzz-").FullName, EngineName + ".dll");
        File.Copy(Path.Combine(folder, EngineName + ".dll"), copy);
        Fuzzer.Instrument(copy, IsCounted, Options.Value);
        _engine = File.ReadAllBytes(copy);
        Directory.Delete(Path.GetDirectoryName(copy)!, recursive: true);
    }

    /// <returns>The exit code.</returns>
    public int Run(string[] arguments, ulong seed)
    {
        Assembly runner = LoadFromAssemblyName(new AssemblyName(RunnerName));
        MethodInfo run = runner.GetType(typeof(FuzzRun).FullName!)!.GetMethod(nameof(FuzzRun.Run))!;
        return (int)run.Invoke(null, [arguments, seed])!;
    }

    /// <summary>All else is the one that everybody has, SharpFuzz's counters among it.</summary>
    protected override Assembly? Load(AssemblyName assemblyName)
    {
        if (assemblyName.Name == RunnerName)
            return LoadFromAssemblyPath(Path.Combine(_folder, RunnerName + ".dll"));
        if (assemblyName.Name != EngineName)
            return null;
        using MemoryStream bytes = new(_engine);
        return LoadFromStream(bytes);
    }

    static bool IsCounted(string type) =>
        Array.Exists(s_namespaces, one => type.StartsWith(one, StringComparison.Ordinal));
}
