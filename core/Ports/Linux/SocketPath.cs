// Where a unix socket is to listen: a path where nobody listens any more is cleared, one where somebody listens, or
// that is no socket, is left alone. The file is 0600 from its first moment: the kernel takes a socket's mode for it
// (SocketStreams), so neither the process's umask nor a later chmod is needed. At the end it goes, if it is still the
// one that was made.
// Source: unix(7); Linux net/unix/af_unix.c, unix_bind_bsd.
using System;
using System.Runtime.InteropServices;
using System.Text;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: any.</summary>
public static class SocketPath
{
    /// <summary>sockaddr_un has so many, and one for the end.</summary>
    public const int BytesMax = UnixAddress.PathBytes - 1;

    /// <summary>Looks whether a socket can be made there, and takes a left-over one away.</summary>
    /// <param name="path">Any.</param>
    /// <param name="isOnlyLook">Changes nothing.</param>
    /// <param name="fault">Invalid: its length; State: it is taken; else what the kernel said.</param>
    /// <returns>Null, or the sentence that says why not.</returns>
    public static string? TryClear(string path, bool isOnlyLook, out Fault fault)
    {
        int pathBytes = Encoding.UTF8.GetByteCount(path);
        fault = new Fault(FaultKind.Invalid);
        if (pathBytes is 0 or > BytesMax)
            return $"a socket's path has 1 to {BytesMax} bytes, not {pathBytes}";
        fault = new Fault(FaultKind.State);
        if (!TryLook(path, out Statx status))
        {
            fault = Fault.None;
            return null;
        }
        if ((status.Mode & Files.S_IFMT) != UnixSockets.S_IFSOCK)
            return $"'{path}' exists and is not a socket";
        int fd = NewSocket();
        if (fd < 0)
            return Failed(path, "make a socket for", out fault);
        bool isLeft = Connect(fd, path) < 0 && Marshal.GetLastPInvokeError() is Errnos.ECONNREFUSED or Errnos.ENOENT;
        _ = Files.Close(fd);
        if (!isLeft)
            return $"somebody listens on '{path}'";
        fault = Fault.None;
        return isOnlyLook || Files.Unlink(path) == 0 || Marshal.GetLastPInvokeError() == Errnos.ENOENT
            ? null
            : Failed(path, "replace", out fault);
    }

    /// <summary>Which file it is; null when there is none.</summary>
    public static (ulong Inode, uint Major, uint Minor)? IdentityOf(string path) =>
        TryLook(path, out Statx status) ? (status.Inode, status.DevMajor, status.DevMinor) : null;

    /// <summary>Takes it away if it is this one.</summary>
    public static void Remove(string path, (ulong Inode, uint Major, uint Minor)? identity)
    {
        if (identity != null && IdentityOf(path) == identity)
            _ = Files.Unlink(path);
    }

    static string Failed(string path, string verb, out Fault fault)
    {
        fault = new Fault(FaultKind.Io, Marshal.GetLastPInvokeError());
        return $"cannot {verb} '{path}': {fault}";
    }

    /// <returns>A descriptor that never blocks, or -1 with the errno.</returns>
    public static int NewSocket() =>
        UnixSockets.Socket(
            UnixSockets.AF_UNIX,
            UnixSockets.SOCK_STREAM | UnixSockets.SOCK_CLOEXEC | UnixSockets.SOCK_NONBLOCK,
            0
        );

    /// <param name="path">At most BytesMax.</param>
    public static unsafe UnixAddress AddressOf(string path)
    {
        UnixAddress address = new() { Family = UnixSockets.AF_UNIX };
        // SAFETY: the span is the structure's own array; the path was measured.
        _ = Encoding.UTF8.GetBytes(path, new Span<byte>(address.Path, BytesMax));
        return address;
    }

    static unsafe int Connect(int fd, string path)
    {
        UnixAddress address = AddressOf(path);
        return UnixSockets.Connect(fd, &address, (uint)sizeof(UnixAddress)); // SAFETY: read during the call
    }

    static unsafe bool TryLook(string path, out Statx status)
    {
        Statx found;
        const int flags = UnixSockets.AT_SYMLINK_NOFOLLOW;
        // SAFETY: the kernel fills the structure during the call only.
        int result = Files.Statx(Files.AT_FDCWD, path, flags, Files.STATX_BASIC_STATS, &found);
        status = found;
        return result == 0;
    }
}
