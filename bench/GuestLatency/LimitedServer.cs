// QEMU's target for the slow and the hung scenarios: nbdkit's memory behind its rate filter, over NBD; stopped by a
// signal it leaves every request without an answer. Ours has LimitedDevice, in its own process. One file for both, made
// of the same nbdkit by nbdfuse, was tried first and is no fair target: the kernel makes the thread that submits to
// such a file wait once a dozen requests are under way, and QEMU's monitor did not answer for a minute.
// Source: nbdkit-rate-filter(1).
using System;
using System.Globalization;
using System.IO;
using System.Threading;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: one.</summary>
sealed class LimitedServer : IDisposable
{
    public const string Program = "nbdkit";
    const ulong BitsPerByte = 8;

    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(10);

    readonly RunningProgram _server;

    public LimitedServer(string socketPath, ulong sizeBytes, ulong bytesPerSecond, CancellationToken cancel)
    {
        SocketPath = socketPath;
        string size = sizeBytes.ToString(CultureInfo.InvariantCulture);
        string rate = string.Create(CultureInfo.InvariantCulture, $"rate={bytesPerSecond * BitsPerByte}");
        string burst = string.Create(CultureInfo.InvariantCulture, $"burstiness={LimitedDevice.BurstSeconds}");
        _server = RunningProgram.Start(Program, ["-f", "-U", socketPath, "--filter=rate", "memory", size, rate, burst]);
        DateTime limit = DateTime.UtcNow + StartLimit;
        while (!File.Exists(socketPath))
        {
            if (_server.HasExited || cancel.IsCancellationRequested || DateTime.UtcNow > limit)
            {
                string errors = _server.Errors.Trim();
                _server.Dispose();
                cancel.ThrowIfCancellationRequested();
                throw new PeerException("nbdkit did not start: " + errors);
            }
            Thread.Sleep(10);
        }
    }

    public static bool IsPresent => SystemPrograms.Find(Program) != null;

    public string SocketPath { get; }

    public void Freeze() => _server.Freeze();

    public void Thaw() => _server.Thaw();

    public void Dispose()
    {
        _server.Thaw();
        _server.Dispose();
        File.Delete(SocketPath);
    }
}
