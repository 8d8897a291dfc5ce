// The real thing: QEMU's storage daemon with a monitor.
using System;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Hosts.Monitor;

sealed class StorageDaemon : IDisposable
{
    readonly RunningProgram _program;

    public StorageDaemon(string socket)
    {
        string chardev = $"socket,path={socket},server=on,wait=off,id=m";
        _program = Tool.Start("qemu-storage-daemon", "--chardev", chardev, "--monitor", "chardev=m");
    }

    public void Dispose() => _program.Dispose();
}
