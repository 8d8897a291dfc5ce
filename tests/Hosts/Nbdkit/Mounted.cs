// A mount on a folder of the test, taken away at its end. Needs root.
using System;
using System.Diagnostics;
using System.IO;
using System.Threading;
using FastBackup.Tests.Abi.Machine;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

sealed class Mounted : IDisposable
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    readonly string _folder;

    /// <param name="folder">Made here.</param>
    /// <param name="what">Arguments of mount in front of the folder.</param>
    public Mounted(string folder, params string[] what)
    {
        Requires.Root();
        Requires.Command("mount");
        Directory.CreateDirectory(folder);
        ToolRun run = ToolRun.Of("mount", [.. what, folder]);
        Requires.That(run.ExitCode == 0, "needs to mount: " + run.Output);
        _folder = folder;
    }

    /// <summary>Tries again: the kernel gives a process's files back a moment after its end.</summary>
    public void Dispose()
    {
        long start = Stopwatch.GetTimestamp();
        while (ToolRun.Of("umount", [_folder]).ExitCode != 0)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Limit, "cannot be unmounted: " + _folder);
            Thread.Sleep(50);
        }
    }
}
