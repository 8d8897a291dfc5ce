// nbdkit with the plugin, in the foreground, on a socket in the test's folder. Ended by SIGTERM, as an init system
// would; one that does not end within its limit is killed and fails the test.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading;
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

/// <summary>Threads: one; what it says comes from any.</summary>
sealed class PluginServer : IDisposable
{
    public static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);
    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(30);

    readonly RunningProgram _process;

    /// <param name="folder">Of the test; not much longer than a temporary one: sockets have 107 bytes.</param>
    /// <param name="arguments">Parameters of the plugin.</param>
    public PluginServer(string folder, params string[] arguments)
    {
        SocketPath = Path.Combine(folder, "nbd.sock");
        File.Delete(SocketPath);
        List<string> all = ["-f", "-v", "-U", SocketPath, BuiltPlugin.File, .. arguments];
        _process = RunningProgram.Start("nbdkit", all);
        Wait(() => File.Exists(SocketPath), StartLimit);
    }

    public string SocketPath { get; }

    /// <summary>Everything it said, debug lines too.</summary>
    public string Said => _process.Said;

    /// <summary>Of its process.</summary>
    public string Id => _process.Id.ToString(CultureInfo.InvariantCulture);

    public string Uri(string export) => $"nbd+unix:///{export}?socket={SocketPath}";

    /// <summary>Waits until something holds, while the server lives.</summary>
    public void Wait(Func<bool> condition, TimeSpan limit)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (_process.HasExited)
                _ = _process.TryWait(limit, CancellationToken.None); // and the end of what it says
            Assert.False(_process.HasExited, "nbdkit has ended: " + Said);
            Assert.True(Stopwatch.GetElapsedTime(start) < limit, $"waited {limit} in vain; it said: {Said}");
            Thread.Sleep(10);
        }
    }

    /// <summary>SIGTERM, and its end.</summary>
    /// <returns>How long it took.</returns>
    public TimeSpan End()
    {
        long start = Stopwatch.GetTimestamp();
        _process.Signal("TERM");
        WaitForEnd();
        return Stopwatch.GetElapsedTime(start);
    }

    /// <summary>Its end without an error, after it was asked to.</summary>
    public void WaitForEnd()
    {
        Assert.True(_process.TryWait(EndLimit, CancellationToken.None), "it does not end: " + Said);
        _process.Wait().Expect(0);
    }

    /// <summary>Waits for a line, also a last one.</summary>
    public void WaitSaid(string text, TimeSpan limit)
    {
        long start = Stopwatch.GetTimestamp();
        while (!Said.Contains(text, StringComparison.Ordinal))
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < limit, $"waited {limit} in vain; it said: {Said}");
            Thread.Sleep(10);
        }
    }

    public void Dispose() => _process.Dispose();
}
