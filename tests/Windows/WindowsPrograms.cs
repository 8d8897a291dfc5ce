// Programs of this tree as Windows has them. The command is published for win-x64, whole, as native-api/docs/windows.md
// says. The others run over the runtime of that one with what was built here: a library of .NET is the same file for
// every system, so compiling the engine twice more would tell nothing.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Windows;

/// <summary>Threads: any. Each is made once.</summary>
static class WindowsPrograms
{
    const string CommandName = "fastbackup";

    /// <summary>Wine 8 cannot give back code that was made at run time.</summary>
    const string NoCodeAtRunTime = "System.Runtime.CompilerServices.RuntimeFeature.IsDynamicCodeSupported";

    static readonly TimeSpan s_publishLimit = TimeSpan.FromMinutes(15);
    static readonly string s_folder = Path.Combine(AppContext.BaseDirectory, "windows");
    static readonly Lazy<string> s_command = new(Publish);
    static readonly ConcurrentDictionary<string, Lazy<string>> s_built = new();

    /// <returns>The full path of fastbackup.exe.</returns>
    public static string Command() => s_command.Value;

    /// <param name="project">Its folder, from the root of the tree.</param>
    /// <param name="name">Of its library, without an ending.</param>
    /// <returns>The full path of a program that starts it.</returns>
    public static string Built(string project, string name) =>
        s_built.GetOrAdd(project, _ => new Lazy<string>(() => Assemble(project, name))).Value;

    /// <summary>
    /// Not where the tree is built: what is restored for another system would be in the way of the next build there.
    /// </summary>
    static string Publish()
    {
        string target = Path.Combine(s_folder, CommandName);
        ToolRun run = ToolRun.Of(
            s_publishLimit,
            "dotnet",
            [
                "publish",
                Repository.PathOf("native-api/cli"),
                "-c",
                "Release",
                "-r",
                "win-x64",
                "--self-contained",
                "--artifacts-path",
                Path.Combine(s_folder, "artifacts"),
                "-o",
                target,
                "-p:DynamicCodeSupport=false",
                "-p:RunAnalyzers=false", // the build here had them
                "-p:GenerateDocumentationFile=false",
                "-nodeReuse:false",
                "-v",
                "quiet",
                "--nologo",
            ]
        );
        Assert.True(run.ExitCode == 0, run.Output);
        return Path.Combine(target, CommandName + ".exe");
    }

    /// <summary>A folder of its own: the runtime as links, the libraries and their settings as files.</summary>
    static string Assemble(string project, string name)
    {
        string runtime = Path.GetDirectoryName(Command())!;
        string here = Path.GetRelativePath(Repository.PathOf("tests/Windows"), AppContext.BaseDirectory);
        string built = Path.Combine(Repository.PathOf(project), here);
        string target = Path.Combine(s_folder, Path.GetFileName(project));
        if (Directory.Exists(target))
            Directory.Delete(target, recursive: true);
        _ = Directory.CreateDirectory(target);
        foreach (string file in Directory.EnumerateFiles(built).Where(file => !file.EndsWith(".json", Ordinal)))
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        foreach (string file in Runtime(runtime))
            if (!Path.Exists(Path.Combine(target, Path.GetFileName(file))))
                _ = File.CreateSymbolicLink(Path.Combine(target, Path.GetFileName(file)), file);

        const string settings = ".runtimeconfig.json";
        JsonObject own = Options(Path.Combine(built, name + settings), out JsonNode whole);
        JsonObject published = Options(Path.Combine(runtime, CommandName + settings), out _);
        _ = own.Remove("framework");
        own["includedFrameworks"] = published["includedFrameworks"]!.DeepClone();
        own["configProperties"]![NoCodeAtRunTime] = false;
        File.WriteAllText(Path.Combine(target, name + settings), whole.ToJsonString());

        string program = Path.Combine(target, name + ".exe");
        File.WriteAllBytes(program, Starting(name + ".dll", File.ReadAllBytes(Command())));
        return program;
    }

    const StringComparison Ordinal = StringComparison.Ordinal;

    /// <summary>What .NET itself has brought, and what starts it.</summary>
    static IEnumerable<string> Runtime(string folder) =>
        Directory
            .EnumerateFiles(folder, "*.dll")
            .Where(file => !Path.GetFileName(file).StartsWith("FastBackup", Ordinal));

    static JsonObject Options(string file, out JsonNode whole)
    {
        whole = JsonNode.Parse(File.ReadAllText(file))!;
        return whole["runtimeOptions"]!.AsObject();
    }

    /// <summary>
    /// What a program of .NET starts is a text in it, with room behind. Source: dotnet/runtime, HostWriter.cs.
    /// </summary>
    static byte[] Starting(string library, byte[] program)
    {
        byte[] known = Encoding.UTF8.GetBytes(CommandName + ".dll\0");
        int place = program.AsSpan().IndexOf(known);
        Assert.True(place > 0 && program.AsSpan(place + 1).IndexOf(known) < 0);
        Encoding.UTF8.GetBytes(library + "\0").CopyTo(program.AsSpan(place));
        return program;
    }
}
