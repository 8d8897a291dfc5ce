// The socket that clients come to. A path where nobody listens any more is replaced; one where somebody listens, or
// that is no socket, is left alone. The file is 0600 from its first moment: the kernel takes a socket's mode for it, so
// neither the process's umask nor a later chmod is needed. Source: Linux net/unix/af_unix.c, unix_bind_bsd.
using System;
using System.Runtime.InteropServices;
using System.Text;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Native.Errors;

namespace FastBackup.Native.Monitor;

/// <summary>Threads: one at a time.</summary>
sealed class MonitorListener
{
    const int Backlog = 16;
    const uint Mode = 0x180; // 0600
    const int ECONNREFUSED = 111;
    const int ENOENT = 2;

    readonly string _path;
    readonly (ulong Inode, uint Major, uint Minor) _identity;
    bool _isClosed;

    MonitorListener(string path, int fd) => (_path, Fd, _identity) = (path, fd, IdentityOf(path) ?? default);

    public int Fd { get; }

    /// <param name="path">At most 107 bytes.</param>
    /// <param name="listener">Null after an error.</param>
    /// <returns>Ok, Invalid (too long), State (in use) or Io.</returns>
    public static Answer TryOpen(string path, out MonitorListener? listener)
    {
        listener = null;
        int pathBytes = Encoding.UTF8.GetByteCount(path);
        if (pathBytes is 0 or >= UnixAddress.PathBytes)
            return Answer.Invalid($"a socket's path has 1 to {UnixAddress.PathBytes - 1} bytes, not {pathBytes}");
        Answer answer = ClearTheWay(path);
        if (!answer.IsOk)
            return answer;
        int fd = NewSocket();
        if (fd < 0)
            return Failed(path, "make a socket for");
        bool isListening = UnixSockets.FChmod(fd, Mode) == 0 && Bind(fd, path) == 0;
        if (isListening && UnixSockets.Listen(fd, Backlog) == 0)
        {
            listener = new MonitorListener(path, fd);
            return Answer.Ok;
        }
        answer = Failed(path, "listen on");
        _ = Files.Close(fd);
        return answer;
    }

    /// <summary>Nobody can come any more, and the file is gone, if it is still the one that was made.</summary>
    public void Close()
    {
        if (_isClosed)
            return;
        _isClosed = true;
        _ = Files.Close(Fd);
        if (IdentityOf(_path) == _identity)
            _ = Files.Unlink(_path);
    }

    /// <returns>A new connection's descriptor, or -1.</returns>
    public unsafe int Accept() =>
        // SAFETY: no address is asked for.
        UnixSockets.Accept(Fd, null, null, UnixSockets.SOCK_CLOEXEC | UnixSockets.SOCK_NONBLOCK);

    static Answer ClearTheWay(string path)
    {
        if (ModeOf(path) is not { } mode)
            return Answer.Ok;
        if ((mode & Files.S_IFMT) != UnixSockets.S_IFSOCK)
            return Answer.State($"'{path}' exists and is not a socket");
        int fd = NewSocket();
        if (fd < 0)
            return Failed(path, "make a socket for");
        bool isLeft = Connect(fd, path) < 0 && Marshal.GetLastPInvokeError() is ECONNREFUSED or ENOENT;
        _ = Files.Close(fd);
        if (!isLeft)
            return Answer.State($"somebody listens on '{path}'");
        return Files.Unlink(path) == 0 || Marshal.GetLastPInvokeError() == ENOENT ? Answer.Ok : Failed(path, "replace");
    }

    static int NewSocket() =>
        UnixSockets.Socket(
            UnixSockets.AF_UNIX,
            UnixSockets.SOCK_STREAM | UnixSockets.SOCK_CLOEXEC | UnixSockets.SOCK_NONBLOCK,
            0
        );

    static unsafe int Bind(int fd, string path)
    {
        UnixAddress address = AddressOf(path);
        return UnixSockets.Bind(fd, &address, (uint)sizeof(UnixAddress)); // SAFETY: read during the call
    }

    static unsafe int Connect(int fd, string path)
    {
        UnixAddress address = AddressOf(path);
        return UnixSockets.Connect(fd, &address, (uint)sizeof(UnixAddress)); // SAFETY: read during the call
    }

    static unsafe UnixAddress AddressOf(string path)
    {
        UnixAddress address = new() { Family = UnixSockets.AF_UNIX };
        // SAFETY: the span is the structure's own array; the path was measured.
        _ = Encoding.UTF8.GetBytes(path, new Span<byte>(address.Path, UnixAddress.PathBytes - 1));
        return address;
    }

    static unsafe bool TryLook(string path, out Statx status)
    {
        Statx found;
        // SAFETY: the kernel fills the structure during the call only.
        int result = Files.Statx(
            Files.AT_FDCWD,
            path,
            UnixSockets.AT_SYMLINK_NOFOLLOW,
            Files.STATX_BASIC_STATS,
            &found
        );
        status = found;
        return result == 0;
    }

    static ushort? ModeOf(string path) => TryLook(path, out Statx status) ? status.Mode : null;

    static (ulong Inode, uint Major, uint Minor)? IdentityOf(string path) =>
        TryLook(path, out Statx status) ? (status.Inode, status.DevMajor, status.DevMinor) : null;

    static Answer Failed(string path, string verb)
    {
        Fault fault = new(FaultKind.Io, Marshal.GetLastPInvokeError());
        return Answer.Of(fault) with { Text = $"cannot {verb} '{path}': {fault}" };
    }
}
