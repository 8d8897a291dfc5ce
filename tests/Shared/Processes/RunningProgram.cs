// A program that a test or a benchmark has started: without input and with the signals of a person's shell, its output
// collected while it runs, and ended (with what it started, and nothing else) when it is disposed while it still runs.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace FastBackup.Tests.Processes;

/// <summary>Threads: one; what it says is collected by others.</summary>
public sealed partial class RunningProgram : IDisposable
{
    const int PollMs = 50;
    const int TailChars = 600;

    // Source: signal(7), the numbers of x86 and arm.
    const int SignalInterrupt = 2;
    const int SignalContinue = 18;
    const int SignalStop = 19;

    static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(60);

    // What it started and what outlives it (a compiler server, say) keeps its pipes open: they are given up when they
    // have been silent for so long after its end.
    static readonly TimeSpan PipeGrace = TimeSpan.FromSeconds(2);

    readonly Process _process;
    readonly string _line;
    readonly Lock _sayOne = new();
    readonly StringBuilder _output = new();
    readonly StringBuilder _errors = new();
    readonly StringBuilder _said = new();
    readonly Task _collecting;
    readonly ProcessUse _childrenBefore = ProcessUse.Children();

    /// <param name="workFolder">Where it runs; empty for where this program runs.</param>
    /// <param name="program">In PATH or in the folders of root's programs, or a path.</param>
    /// <param name="arguments">One each; no quoting.</param>
    /// <param name="environment">Added to ours.</param>
    public RunningProgram(
        string workFolder,
        string program,
        IEnumerable<string> arguments,
        params (string Name, string Value)[] environment
    )
    {
        string[] all = [.. arguments];
        _line = program + " " + string.Join(' ', all);
        ProcessStartInfo start = DefaultSignals.Start(SystemPrograms.Find(program) ?? program, all);
        start.WorkingDirectory = workFolder;
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _collecting = Task.WhenAll(
            CollectAsync(_process.StandardOutput, _output),
            CollectAsync(_process.StandardError, _errors)
        );
    }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>What it wrote to its standard output so far; all of it after a wait.</summary>
    public string Output => Text(_output);

    public string Errors => Text(_errors);

    /// <summary>Both, in the order in which they came.</summary>
    public string Said => Text(_said);

    /// <inheritdoc cref="RunningProgram(string, string, IEnumerable{string}, ValueTuple{string, string}[])"/>
    public static RunningProgram Start(
        string program,
        IEnumerable<string> arguments,
        params (string Name, string Value)[] environment
    ) => new("", program, arguments, environment);

    /// <summary>Waits for its end, and that of its output, and ends it at the limit.</summary>
    /// <param name="limit">A minute when left out.</param>
    /// <exception cref="PeerException">It was ended.</exception>
    public ProgramResult Wait(TimeSpan? limit = null)
    {
        if (!TryWait(limit ?? TimeLimit, CancellationToken.None))
        {
            _process.Kill(entireProcessTree: true);
            throw new PeerException($"did not end within {limit ?? TimeLimit}: {_line}\n{Said}");
        }
        return new ProgramResult(_process.ExitCode, Output, Errors);
    }

    /// <summary>Waits for the end of the program and of its output; it must succeed.</summary>
    /// <param name="limit">How long it may go on.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <param name="alsoFine">An exit code that is no failure, beside 0.</param>
    /// <returns>
    /// What the process and its own children used, from start to end, if no other ended meanwhile: the kernel has one
    /// sum for all.
    /// </returns>
    /// <exception cref="PeerException">It failed, or the time was over.</exception>
    public ProcessUse WaitForSuccess(TimeSpan limit, CancellationToken cancel, int alsoFine = 0)
    {
        if (!TryWait(limit, cancel))
            throw new PeerException($"{_line}: did not end within {limit.TotalSeconds} s");
        cancel.ThrowIfCancellationRequested();
        if (_process.ExitCode != 0 && _process.ExitCode != alsoFine)
            throw new PeerException(
                string.Create(CultureInfo.InvariantCulture, $"{_line}: exit code {_process.ExitCode}: {Tail()}")
            );
        return ProcessUse.Children() - _childrenBefore;
    }

    /// <summary>Waits for its end, and that of its output. It is left alone at the limit.</summary>
    /// <returns>False when it still runs.</returns>
    public bool TryWait(TimeSpan limit, CancellationToken cancel)
    {
        long start = Stopwatch.GetTimestamp();
        while (!_process.WaitForExit(PollMs))
        {
            cancel.ThrowIfCancellationRequested();
            if (Stopwatch.GetElapsedTime(start) > limit)
                return false;
        }
        int saidChars = -1;
        while (!_collecting.Wait(PipeGrace, CancellationToken.None) && saidChars != Said.Length)
            saidChars = Said.Length;
        return true;
    }

    /// <summary>As Ctrl-C does: asks it to end.</summary>
    public void Interrupt() => Signal(SignalInterrupt);

    /// <summary>Stops it where it is, until <see cref="Thaw"/>.</summary>
    public void Freeze() => Signal(SignalStop);

    public void Thaw() => Signal(SignalContinue);

    /// <param name="name">As kill(1) knows it: INT, TERM, KILL.</param>
    public void Signal(string name) =>
        ToolRun.Of("sh", ["-c", $"kill -{name} {_process.Id.ToString(CultureInfo.InvariantCulture)}"]).ExpectSuccess();

    /// <summary>The most memory it has had in use so far; 0 when it has ended.</summary>
    public ulong PeakResidentBytes() =>
        ProcessUse.PeakResidentBytes(_process.Id.ToString(CultureInfo.InvariantCulture));

    /// <summary>One of its threads waits in the kernel for a device or a file system that does not answer.</summary>
    /// <remarks>Five looks at the same thread: an ordinary wait for a disk is over before.</remarks>
    public bool IsStuck()
    {
        HashSet<string> stuck = StuckThreads();
        for (int look = 1; look < 5 && stuck.Count > 0; look++)
        {
            Thread.Sleep(PollMs);
            stuck.IntersectWith(StuckThreads());
        }
        return stuck.Count > 0;
    }

    /// <summary>Source: proc_pid_stat(5), state D.</summary>
    HashSet<string> StuckThreads()
    {
        string folder = $"/proc/{_process.Id.ToString(CultureInfo.InvariantCulture)}/task";
        try
        {
            return
            [
                .. Directory
                    .GetDirectories(folder)
                    .Where(task => File.ReadAllText(task + "/stat").Contains(") D ", StringComparison.Ordinal)),
            ];
        }
        catch (IOException)
        {
            return []; // one of them has just ended
        }
    }

    /// <summary>What it has open now, as the kernel names it. Source: proc_pid_fd(5).</summary>
    public string[] OpenFiles()
    {
        string folder = $"/proc/{_process.Id.ToString(CultureInfo.InvariantCulture)}/fd";
        return [.. Directory.GetFiles(folder).Select(path => new FileInfo(path).LinkTarget).OfType<string>()];
    }

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
            // Ended in between.
        }
        _process.Dispose();
    }

    /// <summary>Until it was waited for, its id is not given to another.</summary>
    void Signal(int signal)
    {
        if (!_process.HasExited)
            _ = Kill(_process.Id, signal);
    }

    async Task CollectAsync(StreamReader stream, StringBuilder own)
    {
        char[] piece = new char[4096];
        int count;
        while ((count = await stream.ReadAsync(piece).ConfigureAwait(false)) > 0)
        {
            lock (_sayOne)
            {
                own.Append(piece, 0, count);
                _said.Append(piece, 0, count);
            }
        }
    }

    string Tail()
    {
        string text = (Errors.Length > 0 ? Errors : Output).Trim();
        return text.Length <= TailChars ? text : text[^TailChars..];
    }

    string Text(StringBuilder text)
    {
        lock (_sayOne)
            return text.ToString();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int processId, int signal);
}
