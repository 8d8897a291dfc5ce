// Connections that are more than a socket, made by whoever knows how: what comes out of them is the protocol from its
// greeting on, whatever was said before.
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Without state that a connection leaves behind. Threads: any.</summary>
public interface INbdTransport
{
    /// <param name="loop">Drives the streams; their completions come on it.</param>
    /// <param name="uri">Which disk, as nbds://.</param>
    /// <param name="streams">For connections to its server; null when refused.</param>
    /// <returns>Null, or why not, as the end of a sentence that begins with the name.</returns>
    string? TryOpen(IIoLoop loop, NbdUri uri, out IStreamIo? streams);

    /// <summary>What went wrong with a connection that could not be made.</summary>
    /// <returns>The end of a sentence that begins with the name; null: what its fault says.</returns>
    string? Explain(StreamHandle stream);
}
