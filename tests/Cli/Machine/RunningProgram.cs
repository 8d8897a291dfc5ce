// A child process whose output is collected while it runs, and which can be sent signals.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace FastBackup.Tests.Cli.Machine;

sealed class RunningProgram : IDisposable
{
    static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(60);

    readonly Process _process;
    readonly Task<string> _output;
    readonly Task<string> _error;

    public RunningProgram(string workFolder, string program, IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            WorkingDirectory = workFolder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _output = _process.StandardOutput.ReadToEndAsync();
        _error = _process.StandardError.ReadToEndAsync();
    }

    /// <summary>The command fastbackup, started in a folder.</summary>
    public static RunningProgram Fastbackup(string workFolder, params string[] arguments) =>
        new(workFolder, "dotnet", [RepositoryFolder.CommandPath, .. arguments]);

    /// <param name="name">As kill(1) knows it: INT, TERM, KILL.</param>
    public void Signal(string name) =>
        Programs.Run("/", "sh", "-c", $"kill -{name} {_process.Id.ToString(CultureInfo.InvariantCulture)}").Expect(0);

    /// <summary>The most memory it has had in use so far. Source: proc_pid_status(5).</summary>
    public long PeakResidentBytes()
    {
        string path = $"/proc/{_process.Id.ToString(CultureInfo.InvariantCulture)}/status";
        string line = File.ReadLines(path).First(text => text.StartsWith("VmHWM:", StringComparison.Ordinal));
        string kibi = line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        return 1024 * long.Parse(kibi, CultureInfo.InvariantCulture);
    }

    /// <summary>What it has open now, as the kernel names it. Source: proc_pid_fd(5).</summary>
    public string[] OpenFiles()
    {
        string folder = $"/proc/{_process.Id.ToString(CultureInfo.InvariantCulture)}/fd";
        return [.. Directory.GetFiles(folder).Select(path => new FileInfo(path).LinkTarget).OfType<string>()];
    }

    public ProgramResult Wait()
    {
        if (!_process.WaitForExit(TimeLimit))
        {
            _process.Kill(entireProcessTree: true);
            Assert.Fail($"did not end within {TimeLimit}: {_process.StartInfo.FileName}");
        }
        return new ProgramResult(_process.ExitCode, _output.GetAwaiter().GetResult(), _error.GetAwaiter().GetResult());
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }
}
