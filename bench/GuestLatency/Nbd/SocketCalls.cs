// recv(2) and send(2) on unmanaged memory, without waiting for the send: the framework's socket class has no such
// flag for a single call, and the two sides of a connection are used by two threads in two ways.
// Source: recv(2), send(2).
using System.Runtime.InteropServices;

namespace FastBackup.Bench.GuestLatency.Nbd;

static partial class SocketCalls
{
    const int MSG_DONTWAIT = 0x40;
    const int MSG_NOSIGNAL = 0x4000;

    /// <summary>Waits for at least one byte.</summary>
    /// <returns>Bytes; 0 at the end of the connection; -1 with the errno as the last P/Invoke error.</returns>
    public static unsafe nint Receive(int fd, byte* buffer, nuint lengthBytes) => Recv(fd, buffer, lengthBytes, 0);

    /// <summary>Sends what fits now.</summary>
    /// <returns>Bytes, or -1; EAGAIN when the other side does not read.</returns>
    public static unsafe nint TrySend(int fd, byte* buffer, nuint lengthBytes) =>
        Send(fd, buffer, lengthBytes, MSG_DONTWAIT | MSG_NOSIGNAL);

    // SAFETY: both are given memory of a region that outlives the session, and lengths within it.
    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static unsafe partial nint Recv(int fd, byte* buffer, nuint lengthBytes, int flags);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static unsafe partial nint Send(int fd, byte* buffer, nuint lengthBytes, int flags);
}
