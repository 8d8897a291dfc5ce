// The real thing: QEMU's storage daemon with a monitor.
using System;
using System.Diagnostics;

namespace FastBackup.Tests.Hosts.Monitor;

sealed class StorageDaemon : IDisposable
{
    const string Program = "qemu-storage-daemon";

    readonly Process _process;

    public StorageDaemon(string socket)
    {
        Requires.Command(Program);
        string chardev = $"socket,path={socket},server=on,wait=off,id=m";
        ProcessStartInfo start = new(Program, ["--chardev", chardev, "--monitor", "chardev=m"])
        {
            RedirectStandardError = true,
        };
        _process = Process.Start(start)!;
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
