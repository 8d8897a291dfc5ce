// A file that does not open: another process has a lease on it, and whoever opens it for writing waits until that lets
// go, 45 s at most. Source: fcntl(2), F_SETLEASE.
using System;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Hosts.Monitor;

/// <summary>Threads: one. Disposing lets go.</summary>
sealed class HeldFile : IDisposable
{
    const string Hold =
        "import fcntl, os, signal, sys, time; signal.signal(signal.SIGIO, signal.SIG_IGN); "
        + "fcntl.fcntl(os.open(sys.argv[1], os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK); "
        + "print('held', flush=True); time.sleep(40)";

    readonly RunningProgram _holder;

    public HeldFile(string path)
    {
        _holder = Tool.Start("python3", "-c", Hold, path);
        Eventually.True(() => _holder.Output.Length > 0 || _holder.HasExited);
        if (_holder.Output.StartsWith("held", StringComparison.Ordinal))
            return;
        Dispose();
        Requires.That(isMet: false, "needs a file system with leases");
    }

    public bool IsHeld => !_holder.HasExited;

    public void Dispose() => _holder.Dispose();
}
