// Programs that tests start take signals as they would from a person's shell. Under nohup, or in the background of a
// shell without job control, SIGHUP, SIGINT and SIGQUIT are ignored, and what is ignored stays so through exec: a test
// that sends one would wait in vain. This process itself keeps what it was given, since nohup is meant for it.
// Source: signal(7), env(1) of coreutils 8.31 and later.
using System.Collections.Generic;
using System.Diagnostics;

namespace FastBackup.Tests.Processes;

public static class DefaultSignals
{
    static readonly string[] s_prefix = FindPrefix();

    /// <param name="program">A command, or the full path of a program.</param>
    /// <param name="arguments">One each; no quoting.</param>
    public static ProcessStartInfo Start(string program, IEnumerable<string> arguments)
    {
        string[] line = [.. s_prefix, program, .. arguments];
        return new ProcessStartInfo(line[0], line[1..]);
    }

    /// <summary>It replaces itself by the program, whose process id is then that of what was started.</summary>
    static string[] FindPrefix()
    {
        if (SystemPrograms.Find("env") is not { } env)
            return [];
        string[] prefix = [env, "--default-signal=HUP,INT,QUIT"];
        ProcessStartInfo start = new(env, [prefix[1], "true"]) { RedirectStandardError = true };
        using Process asked = Process.Start(start)!;
        asked.WaitForExit();
        return asked.ExitCode == 0 ? prefix : [];
    }
}
