// Tells the service manager, where one waits for it, that clients can come: what is ordered after the unit starts then,
// and finds all sockets there. A manager that does not read is not waited for. Source: sd_notify(3).
using System;
using System.Net.Sockets;

namespace FastBackup.Cli;

static class ServiceNotice
{
    const string Variable = "NOTIFY_SOCKET";

    public static void SayReady()
    {
        if (!OperatingSystem.IsLinux() || Environment.GetEnvironmentVariable(Variable) is not { Length: > 1 } name)
            return;
        try
        {
            using Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.Blocking = false;
            // A name that begins with '@' is no file: for the kernel it begins with a zero byte.
            string path = name[0] == '@' ? '\0' + name[1..] : name;
            _ = socket.SendTo("READY=1"u8, new UnixDomainSocketEndPoint(path));
        }
        catch (Exception exception) when (exception is SocketException or ArgumentException)
        {
            // Its unit says how long it waits, and what then.
        }
    }
}
