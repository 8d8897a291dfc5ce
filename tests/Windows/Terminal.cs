// A program on a terminal: what it shows can be waited for, and keys can be typed. Its console is Wine's over that
// terminal, so what is shown has the terminal's commands in it, and Ctrl-C is a key as on a real console.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Windows;

/// <summary>Threads: one.</summary>
sealed class Terminal : IDisposable
{
    public const string CtrlC = "\u0003";

    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(3);

    readonly string _folder = Directory.CreateTempSubdirectory("fb-keys-").FullName;
    readonly RunningProgram _program;
    readonly FileStream _keys;

    /// <param name="folder">Where it works.</param>
    /// <param name="line">Its words.</param>
    /// <param name="environment">Added to ours.</param>
    public Terminal(string folder, IEnumerable<string> line, (string Name, string Value)[] environment)
    {
        string pipe = Path.Combine(_folder, "keys");
        _ = Tool.Run("mkfifo", pipe);
        // Without exec a shell would stay between: where Ctrl-C is a signal to all on the terminal, it ends that shell.
        string command = "exec " + string.Join(' ', line.Select(word => $"'{word}'"));
        string[] shell = ["-c", "exec script -qefc \"$0\" /dev/null < \"$1\"", command, pipe];
        _program = new RunningProgram(folder, "bash", shell, environment);
        _keys = new FileStream(pipe, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, 0); // once bash has it open
    }

    public string Shown => _program.Said;

    public void WaitFor(string text) =>
        Eventually.True(() =>
        {
            Assert.True(Shown.Contains(text, StringComparison.Ordinal) || !_program.HasExited, Shown);
            return Shown.Contains(text, StringComparison.Ordinal);
        });

    public void Type(string keys)
    {
        _keys.Write(Encoding.ASCII.GetBytes(keys));
        _keys.Flush();
    }

    /// <returns>The exit code of the program.</returns>
    public int Wait() => _program.Wait(s_limit).ExitCode;

    public void Dispose()
    {
        _program.Dispose();
        _keys.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
