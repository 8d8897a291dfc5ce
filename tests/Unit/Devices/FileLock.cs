// A file that another program has open, with its lock if wanted.
using System;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

sealed class FileLock : IDisposable
{
    /// <param name="path">An existing file.</param>
    /// <param name="operation">LOCK_SH, LOCK_EX or 0.</param>
    public FileLock(string path, int operation)
    {
        Fd = NameCalls.Kernel.Open(Files.AT_FDCWD, path, Files.O_RDONLY);
        Assert.True(Fd >= 0);
        if (operation != 0)
            Assert.Equal(0, NameCalls.Kernel.Lock(Fd, operation | Files.LOCK_NB));
    }

    public int Fd { get; }

    public void Dispose() => NameCalls.Close(Fd);
}
