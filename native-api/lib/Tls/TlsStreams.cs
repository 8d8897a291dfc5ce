// TLS as streams of the engine, by the platform's SslStream: the engine speaks NBD over them as over sockets, and knows
// nothing of TLS. They stand in for sockets rather than relay between two: nothing is copied once more, what a client
// may hold is what the platform holds for one connection (some 100 KiB), and encryption runs on the platform's pool,
// beside the loop that guests wait for. No thread waits for a client: every wait is the platform's.
//
//   engine: command -> pool: SslStream.ReadAsync, WriteAsync -> posted to the loop -> completion
//
// Cost: an allocation or two a command, and a change of thread. Source: NetworkBlockDevice/nbd, doc/proto.md, "TLS".
using System.Net;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Native.Tls;

/// <summary>Threads: the loop's.</summary>
/// <param name="loop">On which completions come.</param>
/// <param name="server">How clients are taken in; null: nobody listens.</param>
/// <param name="client">How servers are reached; null: none is.</param>
sealed class TlsStreams(IIoLoop loop, TlsServerRules? server, TlsClientRules? client) : IStreamIo
{
    /// <summary>Completions come as posts.</summary>
    public uint InFlightCount => 0;

    public bool HasWork => false;

    public Fault TryOpen(EndPoint address, out StreamHandle? stream)
    {
        Check.That(client != null);
        stream = new TlsStream(loop) { Connect = made => TlsClient.ConnectAsync(made, address, client!) };
        return Fault.None;
    }

    public Fault TryListen(EndPoint address, out StreamHandle? stream)
    {
        Check.That(server != null);
        Fault fault = TlsListener.TryStart(loop, address, server!, out TlsListener? listener);
        stream = listener;
        return fault;
    }

    public void Push(in StreamCommand command)
    {
        if (command.Stream is TlsListener listener)
            listener.Accept(command);
        else
            ((TlsStream)command.Stream).Push(command);
    }

    public void Close(StreamHandle stream)
    {
        if (stream is TlsListener listener)
            listener.Close();
        else
            ((TlsStream)stream).Close();
    }

    public uint Poll() => 0;

    public void Dispose() { }
}
