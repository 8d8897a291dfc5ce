// The streams that the caller gave this process, as the system has them.
using System;

namespace FastBackup.Cli;

static class ProcessStreams
{
    /// <param name="fd">StandardStream.OutputFd or ErrorFd.</param>
    public static StandardStream Of(int fd) =>
        OperatingSystem.IsWindows() ? new WindowsStream(fd) : new LinuxStream(fd);

    /// <summary>Sees to it that no disk is opened under the number of a stream that is closed.</summary>
    public static void FillClosed()
    {
        if (!OperatingSystem.IsWindows())
            LinuxStream.Fill();
    }
}
