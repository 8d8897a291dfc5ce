// Stdout or stderr of Linux, written to the descriptor itself.
//
// A stream that the caller has closed is no failure: it wants no words. The runtime may have taken such a number for a
// pipe of its own before this program's first line; what was given by a caller has come through exec and so has no
// FD_CLOEXEC, while all that the runtime opens has it. A number that is still free is filled, so that no disk is opened
// under it.
// Source: write(2), fcntl(2), execve(2).
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class LinuxStream : StandardStream
{
    const short PollOut = 4;
    const int Forever = -1;

    readonly int _fd;

    /// <param name="fd">OutputFd or ErrorFd.</param>
    public LinuxStream(int fd)
        : base(IsGiven(fd)) => _fd = fd;

    /// <summary>Opens /dev/null for each of 0, 1 and 2 that is free.</summary>
    public static void Fill()
    {
        for (int fd = 0; fd <= ErrorFd; fd++)
            if (Descriptors.Control(fd, Descriptors.F_GETFD, 0) < 0)
                _ = Files.Open("/dev/null", Files.O_RDWR | Files.O_CLOEXEC, 0); // the lowest free number: this one
    }

    static bool IsGiven(int fd)
    {
        int flags = Descriptors.Control(fd, Descriptors.F_GETFD, 0);
        return flags >= 0 && (flags & Descriptors.FD_CLOEXEC) == 0;
    }

    protected override unsafe void WriteAll(byte[] bytes)
    {
        // SAFETY: the kernel reads the bytes during each call only.
        fixed (byte* first = bytes)
            for (int done = 0; done < bytes.Length && !IsEnded; )
            {
                nint count = Files.Write(_fd, first + done, (nuint)(bytes.Length - done));
                if (count >= 0)
                    done += (int)count;
                else
                    Judge(Marshal.GetLastPInvokeError());
            }
    }

    unsafe void Judge(int errno)
    {
        if (errno == Errnos.EINTR)
            return;
        if (errno == Errnos.EAGAIN) // somebody made it non-blocking
        {
            PollFd wait = new() { Fd = _fd, Events = PollOut };
            _ = Files.Poll(&wait, 1, Forever);
            return;
        }
        End(errno == Errnos.EPIPE ? null : Errnos.Describe(errno));
    }
}
