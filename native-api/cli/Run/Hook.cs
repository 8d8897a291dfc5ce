// A program of the user that is run around a backup, as its words say: no shell reads them. Its output goes where our
// errors go. One that does not end in time is killed with all that it has started. It never gets our passwords.
using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.Linq;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
/// <param name="name">For sentences.</param>
/// <param name="words">The program and its arguments.</param>
/// <param name="limit">Then it is killed.</param>
sealed class Hook(string name, string[] words, TimeSpan limit)
{
    const int LookMs = 50;

    static readonly string[] s_secrets =
    [
        "FASTBACKUP_PASSWORD",
        "RESTIC_PASSWORD",
        "RESTIC_REST_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ];

    /// <summary>Words as a shell reads them again.</summary>
    public static string Quote(IEnumerable<string> words) =>
        string.Join(' ', words.Select(word => "'" + word.Replace("'", "'\\''", StringComparison.Ordinal) + "'"));

    /// <param name="variables">For its environment.</param>
    /// <param name="interruption">A signal ends it; null: it may go on.</param>
    /// <returns>How it ended, and a sentence where that was not well.</returns>
    public HookEntry Run(IEnumerable<(string Name, string Value)> variables, Interruption? interruption)
    {
        long start = Stopwatch.GetTimestamp();
        // A session of its own: a Ctrl-C of the terminal is ours, and we say what becomes of it.
        ProcessStartInfo info = new("setsid", ["sh", "-c", "exec \"$0\" \"$@\" >&2 </dev/null", .. words]);
        foreach (string secret in s_secrets)
            _ = info.Environment.Remove(secret);
        foreach ((string variable, string value) in variables)
            info.Environment[variable] = value;
        string? wrong;
        try
        {
            using Process process = Process.Start(info)!;
            wrong = Wait(process, start, interruption);
        }
        catch (Win32Exception exception)
        {
            wrong = $"cannot be started: {exception.Message}";
        }
        double seconds = Math.Round(Stopwatch.GetElapsedTime(start).TotalSeconds, 3);
        return new HookEntry(name, wrong == null ? null : $"hook '{name}' ({words[0]}) {wrong}", seconds);
    }

    string? Wait(Process process, long start, Interruption? interruption)
    {
        while (!process.WaitForExit(LookMs))
        {
            bool isInterrupted = interruption is { IsRequested: true };
            if (!isInterrupted && Stopwatch.GetElapsedTime(start) < limit)
                continue;
            process.Kill(entireProcessTree: true);
            return isInterrupted
                ? "was ended by a signal to us"
                : Phrases.Text($"did not end within {limit.TotalSeconds:0.#} s and was killed");
        }
        return process.ExitCode == 0 ? null : Phrases.Text($"failed with exit code {process.ExitCode}");
    }
}
