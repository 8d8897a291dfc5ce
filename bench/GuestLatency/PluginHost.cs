// FastBackup as a host that other people run: nbdkit with our plugin, both with their defaults. Built from the tree
// once per run. The backup begins when a client asks for the export "snapshot", which nbdinfo does; the copy has its
// name once it is whole and flushed.
using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading;
using FastBackup.Tests;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: one. No limited targets, no cancel.</summary>
sealed class PluginHost : IBackupHost
{
    public const string Program = "nbdkit";

    static readonly TimeSpan BuildLimit = TimeSpan.FromMinutes(10);
    static readonly TimeSpan StepLimit = TimeSpan.FromSeconds(30);
    static string? _plugin;

    readonly HostPlan _plan;
    readonly RunningProgram _server;
    long _start;
    double _copiedSeconds;

    /// <param name="plan">Its files.</param>
    /// <param name="cancel">Ends the wait for the server.</param>
    /// <param name="speed">Bytes a second of the backup; 0 = unlimited.</param>
    public PluginHost(HostPlan plan, CancellationToken cancel, ulong speed = 0)
    {
        _plan = plan;
        string backup = "backup=" + plan.TargetPath;
        string limit = string.Create(CultureInfo.InvariantCulture, $"speed={speed}");
        string cache = plan.IsDirect ? "cache=direct" : "cache=page";
        string plugin = _plugin ??= Build(cancel);
        string[] arguments =
        [
            "-f",
            "-U",
            plan.SocketPath,
            plugin,
            plan.SourcePath,
            backup,
            "at=snapshot",
            cache,
            limit,
        ];
        _server = RunningProgram.Start(Program, arguments);
        long start = Stopwatch.GetTimestamp();
        while (!File.Exists(plan.SocketPath))
        {
            cancel.ThrowIfCancellationRequested();
            if (_server.HasExited || Stopwatch.GetElapsedTime(start) > StepLimit)
                throw new PeerException("nbdkit did not start: " + _server.Errors);
            Thread.Sleep(5);
        }
    }

    public string Name => OurHost.OurName;

    public string SocketPath => _plan.SocketPath;

    public void StartBackup(CancellationToken cancel)
    {
        _start = Stopwatch.GetTimestamp();
        using RunningProgram asking = RunningProgram.Start(
            "nbdinfo",
            ["--size", $"nbd+unix:///snapshot?socket={SocketPath}"]
        );
        asking.WaitForSuccess(StepLimit, cancel);
    }

    public bool HasCopied()
    {
        if (_server.HasExited || _server.Errors.Contains("the job has failed", StringComparison.Ordinal))
            throw new PeerException("our backup failed: " + _server.Errors);
        if (_copiedSeconds == 0 && File.Exists(_plan.TargetPath))
            _copiedSeconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        return _copiedSeconds > 0;
    }

    /// <summary>Before the end: by what the copy, a file without holes in the end, has allocated.</summary>
    public BackupPace Pace()
    {
        if (HasCopied())
            return new BackupPace(_plan.SizeBytes, _copiedSeconds, IsWhole: true);
        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        using RunningProgram stat = RunningProgram.Start("stat", ["-c", "%b", _plan.TargetPath + ".partial"]);
        stat.WaitForSuccess(StepLimit, CancellationToken.None);
        ulong blocks = ulong.Parse(stat.Output, CultureInfo.InvariantCulture);
        return new BackupPace(Math.Min(512 * blocks, _plan.SizeBytes), seconds, IsWhole: false);
    }

    public CancelTimes Cancel(TimeSpan limit) => throw new NotSupportedException("the plugin's jobs end with it");

    public void FreezeTarget() => throw new NotSupportedException("the plugin has no limited target");

    public void ThawTarget() { }

    public void Dispose()
    {
        _server.Interrupt();
        try
        {
            _server.WaitForSuccess(StepLimit, CancellationToken.None);
        }
        catch (PeerException)
        {
            // Then it is killed below.
        }
        _server.Dispose();
        File.Delete(_plan.SocketPath);
        File.Delete(_plan.TargetPath + ".partial");
    }

    static string Build(CancellationToken cancel)
    {
        string folder = Repository.PathOf("bench/GuestLatency/bin/nbdkit");
        Run(Repository.PathOf("native-api/packaging/build"), cancel, "v1");
        Run("make", cancel, "-C", Repository.PathOf("native-api/hosts/nbdkit"), "BUILD=" + folder);
        return Path.Combine(folder, "nbdkit-fastbackup-plugin.so");
    }

    static void Run(string program, CancellationToken cancel, params string[] arguments)
    {
        using RunningProgram build = RunningProgram.Start(program, arguments);
        build.WaitForSuccess(BuildLimit, cancel);
    }
}
