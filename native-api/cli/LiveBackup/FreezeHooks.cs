// Commands of the user that freeze guests before the point in time and thaw them after it. They are run by a watchdog:
// a shell in a session of its own, which outlives this process and does in this order, whatever happens to us:
//
//   freeze, at most 5 s -> says so -> waits until our end of the pipe is closed, or 9 s are over -> thaws
//
// So there is one way to thaw, and it needs nothing of us: the kernel closes the pipe when we die, by kill -9 or
// otherwise. A freeze that failed or was cut short is thawed as well: it may have frozen a part. A thaw that fails is
// tried three times. From the start of the freeze to that of the thaw 10 s pass at most.
using System;
using System.ComponentModel;
using System.Diagnostics;
using System.Threading.Tasks;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class FreezeHooks : IDisposable
{
    // INT and the others are handled, not ignored: what the shell starts would inherit that. A reader that has gone
    // (PIPE) must not end it before the thaw. A clock that was set meanwhile gives a wrong rest: then 4 s. What was cut
    // short (137) may have gone on in the kernel and be frozen only later: hence the second thaw.
    const string Script = """
        trap : INT HUP TERM QUIT PIPE
        thaw() { timeout -s KILL 10 sh -c "$FASTBACKUP_THAW" </dev/null >&2; }
        start=$(date +%s)
        timeout -s KILL 5 sh -c "$FASTBACKUP_FREEZE" </dev/null >&2
        frozen=$?
        echo "frozen $frozen"
        left=$((9 - $(date +%s) + start))
        [ $left -ge 1 ] && [ $left -le 9 ] || left=4
        timeout -s KILL $left cat >/dev/null || echo late
        for try in 1 2 3; do
          thaw
          code=$?
          [ $code = 0 ] && break
          sleep 1
        done
        echo "thawed $code"
        if [ $frozen = 137 ]; then sleep 5; thaw; fi
        """;

    const int FreezeLimitMs = 15_000;
    const int ThawLimitMs = 60_000;

    readonly Process _watchdog;
    readonly string _thaw;
    readonly long _start = Stopwatch.GetTimestamp();

    FreezeHooks(Process watchdog, string thaw) => (_watchdog, _thaw) = (watchdog, thaw);

    /// <summary>Longest time that guests can have been frozen; 0 while they are.</summary>
    public double Seconds { get; private set; }

    /// <summary>It was thawed before we said so: the point in time may lie behind that.</summary>
    public bool IsLate { get; private set; }

    /// <summary>Why it may still be frozen, a sentence; null: it is thawed.</summary>
    public string? Trouble { get; private set; }

    /// <summary>Freezes.</summary>
    /// <returns>Null, or why not, a sentence: then all is thawed again.</returns>
    public static string? TryFreeze(string freeze, string thaw, out FreezeHooks? hooks)
    {
        hooks = null;
        ProcessStartInfo start = new("setsid", ["sh", "-c", Script])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["FASTBACKUP_FREEZE"] = freeze;
        start.Environment["FASTBACKUP_THAW"] = thaw;
        Process? watchdog;
        try
        {
            watchdog = Process.Start(start);
        }
        catch (Win32Exception error)
        {
            return $"cannot start the watchdog that thaws (setsid, sh): {error.Message}";
        }
        FreezeHooks made = new(watchdog!, thaw);
        string said = made.Read(FreezeLimitMs);
        if (said == "frozen 0")
        {
            hooks = made;
            return null;
        }
        made.Thaw();
        string why = said switch
        {
            "frozen 137" => "did not end within 5 s",
            "" => "did not answer",
            _ => "failed with exit code " + said[(said.LastIndexOf(' ') + 1)..],
        };
        string left = made.Trouble == null ? "guests are thawed" : made.Trouble;
        made.Dispose();
        return $"the freeze command {why}; nothing was copied, {left}";
    }

    /// <summary>Thaws now, and waits until that is done; a second call does nothing.</summary>
    public void Thaw()
    {
        if (Seconds > 0)
            return;
        _watchdog.StandardInput.Close();
        string said = Read(ThawLimitMs);
        IsLate = said == "late";
        if (IsLate)
            said = Read(ThawLimitMs);
        if (said.Length == 0)
            said = ThawWithout();
        Seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        Trouble =
            said == "thawed 0" ? null
            : said.Length == 0 ? "whether guests are thawed is not known: run the thaw command by hand"
            : $"the thaw command failed with exit code {said[(said.LastIndexOf(' ') + 1)..]}: run it by hand";
    }

    public void Dispose()
    {
        Thaw();
        _watchdog.Dispose();
    }

    /// <summary>Somebody has killed the watchdog: then it is our turn.</summary>
    string ThawWithout()
    {
        try
        {
            ProcessStartInfo start = new(
                "timeout",
                ["-s", "KILL", "10", "sh", "-c", "eval \"$0\" </dev/null >&2", _thaw]
            );
            using Process process = Process.Start(start)!;
            return process.WaitForExit(ThawLimitMs) ? $"thawed {process.ExitCode}" : "";
        }
        catch (Win32Exception)
        {
            return "";
        }
    }

    /// <returns>The next line, or nothing when none comes.</returns>
    string Read(int limitMs)
    {
        Task<string?> line = _watchdog.StandardOutput.ReadLineAsync();
        return line.Wait(limitMs) ? line.Result ?? "" : "";
    }
}
