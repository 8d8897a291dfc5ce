// A stream that listens already: whoever started this process has made it and left it open, as service managers do.
using System.Net;

namespace FastBackup.Ports;

/// <summary>
/// Given where a port takes an address to listen on. The port owns the descriptor from then on. A port that has no such
/// streams refuses it as an address that it does not know.
/// </summary>
/// <param name="fd">Of a listening stream socket that does not block.</param>
public sealed class PassedListener(int fd) : EndPoint
{
    public int Fd => fd;
}
