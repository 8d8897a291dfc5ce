// A connection to a server with TLS: connect, NBD's greeting and STARTTLS in the clear, then TLS. A server that offers
// none is refused: nothing goes on in the clear.
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Tasks;

namespace FastBackup.Native.Tls;

static class TlsClient
{
    /// <summary>Fails by exception where the connection does.</summary>
    /// <param name="made">Gets it.</param>
    /// <param name="address">Of the server.</param>
    /// <param name="rules">Whom to trust.</param>
    /// <returns>Null, or what the server lacks, as the end of a sentence that begins with the disk's name.</returns>
    public static async Task<string?> ConnectAsync(TlsStream made, EndPoint address, TlsClientRules rules)
    {
        bool isUnix = address.AddressFamily == AddressFamily.Unix;
        Socket socket = new(
            address.AddressFamily,
            SocketType.Stream,
            isUnix ? ProtocolType.Unspecified : ProtocolType.Tcp
        );
        if (!isUnix)
            socket.NoDelay = true;
        made.Adopt(socket, null, [], 0); // so that closing ends what follows
        await socket.ConnectAsync(address).ConfigureAwait(false);
        NetworkStream plain = new(socket, ownsSocket: true);
        byte[] greeting = new byte[NbdPrelude.GreetingBytes];
        await plain.ReadExactlyAsync(greeting).ConfigureAwait(false);
        if (!NbdPrelude.TryReadGreeting(greeting, out ushort flags))
            return "is no NBD server's address, or of one that is too old for TLS";
        flags &= NbdPrelude.HandshakeFlags;
        await plain.WriteAsync(new byte[] { 0, 0, 0, (byte)flags }).ConfigureAwait(false);
        await plain.WriteAsync(NbdPrelude.Option(NbdPrelude.OptionStartTls)).ConfigureAwait(false);
        byte[] reply = new byte[NbdPrelude.ReplyHeadBytes];
        await plain.ReadExactlyAsync(reply).ConfigureAwait(false);
        bool isReply = NbdPrelude.TryReadReply(reply, NbdPrelude.OptionStartTls, out uint type, out uint words);
        if (!isReply || type != NbdPrelude.ReplyAck || words != 0)
            return "has a server that offers no TLS; with nbd:// it would be read without";
        SslPolicyErrors errors = SslPolicyErrors.None;
        SslStream secure = new(plain);
        try
        {
            await secure.AuthenticateAsClientAsync(Options(rules, found => errors = found)).ConfigureAwait(false);
        }
        catch (AuthenticationException)
        {
            return errors switch
            {
                SslPolicyErrors.None => "and its server could not agree on TLS",
                SslPolicyErrors.RemoteCertificateNameMismatch =>
                    $"has a server whose certificate is not for '{rules.Host}'; &tls-hostname=NAME says another name",
                _ => "has a server whose certificate was signed by nobody who is trusted here",
            };
        }
        made.Adopt(socket, secure, NbdPrelude.Greeting(flags), NbdPrelude.FlagsBytes);
        return null;
    }

    static SslClientAuthenticationOptions Options(TlsClientRules rules, System.Action<SslPolicyErrors> onJudged) =>
        new()
        {
            TargetHost = rules.Host,
            ClientCertificateContext = rules.Folder?.Own,
            CertificateChainPolicy = rules.Folder?.Policy,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            RemoteCertificateValidationCallback = (_, _, _, errors) =>
            {
                onJudged(errors);
                return errors == SslPolicyErrors.None;
            },
        };
}
