// A program that a benchmark drives: found in PATH, started with its output collected, waited for with what
// it used, and killed (it alone) when it is disposed while it still runs.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

namespace FastBackup.Bench.Peers;

/// <summary>Threads: one. One process at a time, for <see cref="ProcessUse.Children"/> sums over all.</summary>
public sealed partial class PeerProcess : IDisposable
{
    const int PollMs = 50;

    // Source: signal(7), the numbers of x86 and arm.
    const int SignalInterrupt = 2;
    const int SignalContinue = 18;
    const int SignalStop = 19;

    readonly Process _process;
    readonly StringBuilder _output = new();
    readonly StringBuilder _errors = new();
    readonly ProcessUse _childrenBefore;

    PeerProcess(Process process, ProcessUse childrenBefore)
    {
        (_process, _childrenBefore) = (process, childrenBefore);
        process.OutputDataReceived += (_, received) => Append(_output, received.Data);
        process.ErrorDataReceived += (_, received) => Append(_errors, received.Data);
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>What it wrote to its standard output; whole after <see cref="Wait"/>.</summary>
    public string Output => Text(_output);

    public string Errors => Text(_errors);

    /// <summary>Whether the program is in PATH, or a file of that name exists.</summary>
    public static bool IsPresent(string program) =>
        Path.IsPathRooted(program)
            ? File.Exists(program)
            : (Environment.GetEnvironmentVariable("PATH") ?? "")
                .Split(Path.PathSeparator)
                .Any(folder => File.Exists(Path.Combine(folder, program)));

    /// <param name="program">In PATH, or a path.</param>
    /// <param name="arguments">One word each.</param>
    /// <param name="environment">Added to ours.</param>
    public static PeerProcess Start(
        string program,
        IEnumerable<string> arguments,
        params (string Name, string Value)[] environment
    )
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        ProcessUse before = ProcessUse.Children();
        Process process = new() { StartInfo = start };
        PeerProcess peer = new(process, before);
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return peer;
    }

    /// <summary>Waits for the end of the program and of its output.</summary>
    /// <param name="timeLimit">How long it may go on.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <param name="alsoFine">An exit code that is no failure, beside 0.</param>
    /// <returns>What the process and its own children used, from start to end.</returns>
    /// <exception cref="PeerException">It failed, or the time was over; then it was killed.</exception>
    public ProcessUse Wait(TimeSpan timeLimit, CancellationToken cancel, int alsoFine = 0)
    {
        Stopwatch watch = Stopwatch.StartNew();
        while (!_process.WaitForExit(PollMs))
        {
            cancel.ThrowIfCancellationRequested();
            if (watch.Elapsed > timeLimit)
                throw new PeerException($"{_process.StartInfo.FileName} did not end within {timeLimit.TotalSeconds} s");
        }
        _process.WaitForExit(); // and for the end of both pipes
        cancel.ThrowIfCancellationRequested();
        if (_process.ExitCode != 0 && _process.ExitCode != alsoFine)
            throw new PeerException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{_process.StartInfo.FileName} ended with exit code {_process.ExitCode}: {Tail()}"
                )
            );
        return ProcessUse.Children() - _childrenBefore;
    }

    /// <summary>As Ctrl-C does: asks it to end.</summary>
    public void Interrupt() => Signal(SignalInterrupt);

    /// <summary>Stops it where it is, until <see cref="Thaw"/>.</summary>
    public void Freeze() => Signal(SignalStop);

    public void Thaw() => Signal(SignalContinue);

    public void Dispose()
    {
        try
        {
            if (!_process.HasExited)
            {
                _process.Kill(entireProcessTree: true);
                _process.WaitForExit();
            }
        }
        catch (InvalidOperationException)
        {
            // Ended in between, or never started.
        }
        _process.Dispose();
    }

    /// <summary>Until it was waited for, its id is not given to another.</summary>
    void Signal(int signal)
    {
        if (!_process.HasExited)
            _ = Kill(_process.Id, signal);
    }

    string Tail()
    {
        string text = (Errors.Length > 0 ? Errors : Output).Trim();
        return text.Length <= 600 ? text : text[^600..];
    }

    static void Append(StringBuilder text, string? line)
    {
        if (line == null)
            return;
        lock (text)
            text.AppendLine(line);
    }

    static string Text(StringBuilder text)
    {
        lock (text)
            return text.ToString();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
