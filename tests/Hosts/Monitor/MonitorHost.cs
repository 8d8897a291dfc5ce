// The C program that is a host with a monitor (Programs/monitor_host.c), built once per run and driven by lines.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading.Tasks;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

/// <summary>Threads: one.</summary>
sealed class MonitorHost : IDisposable
{
    static readonly TimeSpan AnswerTimeLimit = TimeSpan.FromSeconds(60);
    static readonly Lazy<string> Program = new(Build);

    readonly Process _process;

    /// <param name="socket">Of its monitor.</param>
    /// <param name="arguments">--driven or --threads first, if wanted, then NAME=FILE of each disk.</param>
    public MonitorHost(string socket, params string[] arguments)
    {
        Socket = socket;
        ProcessStartInfo start = DefaultSignals.Start(Program.Value, [socket, .. arguments]);
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.Environment["LD_LIBRARY_PATH"] = BuiltLibrary.LibraryFolder;
        _process = Process.Start(start)!;
        Assert.Equal("ready", ReadLine());
    }

    public string Socket { get; }

    /// <summary>Says a line and waits for the answer.</summary>
    public string Ask(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
        return ReadLine();
    }

    public long AskNumber(string line) => long.Parse(Ask(line).Split(' ')[0], CultureInfo.InvariantCulture);

    /// <summary>Asks it to end; everything that it opened must close.</summary>
    public void Quit()
    {
        _process.StandardInput.WriteLine("quit");
        _process.StandardInput.Flush();
        Assert.Equal("closed", ReadLine());
        Assert.True(_process.WaitForExit(AnswerTimeLimit));
        Assert.Equal(0, _process.ExitCode);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
        _process.Dispose();
    }

    public IReadOnlyList<string> ThreadNames()
    {
        List<string> names = [];
        foreach (string folder in Directory.EnumerateDirectories($"/proc/{_process.Id}/task"))
            names.Add(File.ReadAllText(Path.Combine(folder, "comm")).Trim());
        return names;
    }

    /// <summary>Descriptors that are open in it.</summary>
    public int FileCount() => Directory.GetFileSystemEntries($"/proc/{_process.Id}/fd").Length;

    string ReadLine()
    {
        Task<string?> line = _process.StandardOutput.ReadLineAsync();
        Assert.True(line.Wait(AnswerTimeLimit), "the host does not answer");
        return line.Result ?? "the host has ended";
    }

    static string Build()
    {
        Requires.Command("gcc");
        string folder = Directory.CreateDirectory(Repository.PathOf("tests/Hosts/bin/programs")).FullName;
        string program = Path.Combine(folder, "monitor_host");
        string[] warnings = ["-std=c99", "-O2", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-pedantic", "-Werror"];
        string source = Repository.PathOf("tests/Hosts/Monitor/Programs/monitor_host.c");
        string include = "-I" + Path.Combine(BuiltLibrary.Folder, "include");
        string library = "-L" + BuiltLibrary.LibraryFolder;
        ToolRun run = ToolRun.Of(
            "gcc",
            [.. warnings, include, source, "-o", program, library, "-lfastbackup", "-lpthread"]
        );
        Assert.True(run.ExitCode == 0, run.Output);
        return program;
    }
}
