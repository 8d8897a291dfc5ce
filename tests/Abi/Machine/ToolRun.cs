// Runs one program to its end and keeps what it said.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Text;
using System.Threading;

namespace FastBackup.Tests.Abi.Machine;

/// <param name="ExitCode">128 + n after signal n.</param>
/// <param name="Output">Both streams, as they came.</param>
readonly record struct ToolRun(int ExitCode, string Output)
{
    static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(150);

    /// <param name="file">A command, or the full path of a program.</param>
    /// <param name="arguments">One each; no quoting.</param>
    /// <param name="environment">Added to this program's own.</param>
    public static ToolRun Of(
        string file,
        IEnumerable<string> arguments,
        params (string Name, string Value)[] environment
    ) => Of(TimeLimit, file, arguments, environment);

    /// <param name="timeLimit">After which it is ended.</param>
    /// <param name="file">A command, or the full path of a program.</param>
    /// <param name="arguments">One each; no quoting.</param>
    /// <param name="environment">Added to this program's own.</param>
    public static ToolRun Of(
        TimeSpan timeLimit,
        string file,
        IEnumerable<string> arguments,
        params (string Name, string Value)[] environment
    )
    {
        ProcessStartInfo start = new(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        StringBuilder output = new();
        Lock oneAtATime = new();
        void Keep(object sender, DataReceivedEventArgs received)
        {
            lock (oneAtATime)
                output.AppendLine(received.Data);
        }
        using Process process = new() { StartInfo = start };
        process.OutputDataReceived += Keep;
        process.ErrorDataReceived += Keep;
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        if (!process.WaitForExit(timeLimit))
        {
            process.Kill(entireProcessTree: true);
            return new ToolRun(-1, output + "ended at its time limit");
        }
        process.WaitForExit(); // and the ends of both streams
        return new ToolRun(process.ExitCode, output.ToString().Trim());
    }
}
