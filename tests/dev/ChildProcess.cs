// Runs one program without input, hands its output on line by line, and ends it (with what it started,
// and nothing else) when its time is over.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Tests;
using FastBackup.Tests.Processes;

namespace FastBackup.Dev;

static class ChildProcess
{
    // A grandchild that outlives the program (a compiler server, say) keeps the pipes open; its output is
    // not ours, so we stop listening this long after the program itself has ended.
    static readonly TimeSpan PipeGrace = TimeSpan.FromSeconds(2);

    /// <summary>The dotnet command that runs this very program, so that one SDK does everything.</summary>
    public static string Dotnet { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    public static async Task<ChildResult> RunAsync(
        string fileName,
        IEnumerable<string> arguments,
        IEnumerable<KeyValuePair<string, string>> environment,
        TimeSpan timeLimit,
        Action<string> onLine,
        CancellationToken cancel
    )
    {
        ProcessStartInfo start = new(fileName, arguments)
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        SetEnvironment(start, environment);
        using Process process = new() { StartInfo = start };
        Lock oneLineAtATime = new();
        void Forward(object sender, DataReceivedEventArgs received)
        {
            if (received.Data is null)
                return;
            lock (oneLineAtATime)
                onLine(received.Data);
        }
        process.OutputDataReceived += Forward;
        process.ErrorDataReceived += Forward;
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();

        bool isTimedOut = !await WaitForExitAsync(process, timeLimit, cancel);
        process.CancelOutputRead();
        process.CancelErrorRead();
        return new ChildResult(isTimedOut ? -1 : process.ExitCode, isTimedOut);
    }

    static async Task<bool> WaitForExitAsync(Process process, TimeSpan timeLimit, CancellationToken cancel)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(timeLimit);
        Task drained = process.WaitForExitAsync(CancellationToken.None); // exit and end of both pipes
        try
        {
            while (!process.HasExited)
                await Task.WhenAny(drained, Task.Delay(TimeSpan.FromMilliseconds(50), limit.Token)).Unwrap();
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            cancel.ThrowIfCancellationRequested();
            return false;
        }
        await Task.WhenAny(drained, Task.Delay(PipeGrace, cancel));
        return true;
    }

    static void SetEnvironment(ProcessStartInfo start, IEnumerable<KeyValuePair<string, string>> environment)
    {
        // System programs (mke2fs, losetup) live where an ordinary user's PATH does not look.
        string path = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin";
        start.Environment["PATH"] =
            path + Path.PathSeparator + string.Join(Path.PathSeparator, SystemPrograms.RootFolders);
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        // Nodes that stay for a next build would outlive this program.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
    }
}
