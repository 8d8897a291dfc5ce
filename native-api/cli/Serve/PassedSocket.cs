// A listening socket that a service manager has made and passed on: socket activation.
// Its environment says for whom it is and how many there are; descriptors begin at 3. One is served; any other number
// is a mistake in the unit.
// Source: sd_listen_fds(3).
using System;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using FastBackup.Ports;

namespace FastBackup.Cli;

/// <param name="Fd">It listens and does not block.</param>
/// <param name="Local">Where; null where the system cannot say.</param>
sealed record PassedSocket(int Fd, EndPoint? Local)
{
    const int FdFirst = 3;

    /// <summary>Null where it is a unix socket.</summary>
    public IPEndPoint? Address => Local as IPEndPoint;

    public PassedListener Listener => new(Fd);

    /// <summary>Whether this process was given any.</summary>
    static bool IsGiven =>
        OperatingSystem.IsLinux()
        && int.TryParse(Variable("LISTEN_PID"), NumberStyles.None, CultureInfo.InvariantCulture, out int process)
        && process == Environment.ProcessId;

    /// <param name="passed">The one; null where there is none, or it is not what can be served on.</param>
    /// <returns>Null, or why it cannot be used.</returns>
    public static string? TryFind(out PassedSocket? passed)
    {
        passed = null;
        if (!IsGiven)
            return null;
        string? count = Variable("LISTEN_FDS");
        if (count != "1")
            return $"the service manager has passed '{count}' sockets (LISTEN_FDS); serve takes one";
        try
        {
            using SafeSocketHandle handle = new(FdFirst, ownsHandle: false);
            using Socket socket = new(handle);
            object? listens = socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.AcceptConnection);
            if (socket.SocketType != SocketType.Stream || listens is not > 0)
                return "what the service manager has passed is no listening stream socket (ListenStream=, Accept=no)";
            socket.Blocking = false;
            passed = new PassedSocket(FdFirst, socket.LocalEndPoint);
            return null;
        }
        catch (SocketException e)
        {
            return $"descriptor {FdFirst}, which the service manager has passed, is no socket: {e.Message}";
        }
    }

    /// <returns>The one; null where there is none that can be used.</returns>
    public static PassedSocket? Find() => TryFind(out PassedSocket? passed) == null ? passed : null;

    static string? Variable(string name) => Environment.GetEnvironmentVariable(name);
}
