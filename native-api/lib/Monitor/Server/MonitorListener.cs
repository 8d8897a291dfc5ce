// The socket that clients come to; the rules for its path are SocketPath's. The file is 0600 from its first moment: the
// kernel takes a socket's mode for it. Source: Linux net/unix/af_unix.c, unix_bind_bsd.
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Native.Errors;
using FastBackup.Ports.Linux;

namespace FastBackup.Native.Monitor.Server;

/// <summary>Threads: one at a time.</summary>
sealed class MonitorListener
{
    const int Backlog = 128;
    const uint Mode = 0x180; // 0600

    readonly string _path;
    readonly (ulong Inode, uint Major, uint Minor)? _identity;
    bool _isClosed;

    MonitorListener(string path, int fd) => (_path, Fd, _identity) = (path, fd, SocketPath.IdentityOf(path));

    public int Fd { get; }

    /// <summary>What can be known before the open. Looks, and changes nothing.</summary>
    /// <param name="path">Of the socket.</param>
    /// <returns>As TryOpen.</returns>
    public static Answer Check(string path)
    {
        Answer answer = ClearTheWay(path, isOnlyLook: true);
        if (!answer.IsOk)
            return answer;
        Fault fault = FolderEntry.TryResolve(NameCalls.Kernel, path, out FolderEntry? entry);
        int result = fault.IsFault ? -fault.Errno : NameCalls.Kernel.MayWrite(entry!.FolderFd);
        entry?.Dispose();
        if (result >= 0)
            return Answer.Ok;
        fault = Errnos.ToFault(-result);
        return Answer.Of(fault) with { Text = $"cannot listen on '{path}': {fault}" };
    }

    /// <param name="path">At most 107 bytes.</param>
    /// <param name="listener">Null after an error.</param>
    /// <returns>Ok, Invalid (too long), State (in use) or Io.</returns>
    public static Answer TryOpen(string path, out MonitorListener? listener)
    {
        listener = null;
        Answer answer = ClearTheWay(path, isOnlyLook: false);
        if (!answer.IsOk)
            return answer;
        int fd = SocketPath.NewSocket();
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
        SocketPath.Remove(_path, _identity);
    }

    /// <returns>A new connection's descriptor, or -1.</returns>
    public unsafe int Accept() =>
        // SAFETY: no address is asked for.
        UnixSockets.Accept(Fd, null, null, UnixSockets.SOCK_CLOEXEC | UnixSockets.SOCK_NONBLOCK);

    static Answer ClearTheWay(string path, bool isOnlyLook)
    {
        string? refusal = SocketPath.TryClear(path, isOnlyLook, out Fault fault);
        return refusal == null ? Answer.Ok : Answer.Of(fault) with { Text = refusal };
    }

    static unsafe int Bind(int fd, string path)
    {
        UnixAddress address = SocketPath.AddressOf(path);
        return UnixSockets.Bind(fd, &address, (uint)sizeof(UnixAddress)); // SAFETY: read during the call
    }

    static Answer Failed(string path, string verb)
    {
        Fault fault = new(FaultKind.Io, Marshal.GetLastPInvokeError());
        return Answer.Of(fault) with { Text = $"cannot {verb} '{path}': {fault}" };
    }
}
