// A folder of certificates with the names that QEMU and libnbd give them, so that one folder serves all:
//
//   ca-cert.pem                        who may sign for the other side; nobody else is trusted
//   server-cert.pem, server-key.pem    of a server
//   client-cert.pem, client-key.pem    of a client; both may be missing
//
// Read once. No lists of revoked certificates, and no keys with a password.
// Source: QEMU, docs/system/tls.rst; libnbd, nbd_set_tls_certificates(3).
using System;
using System.IO;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace FastBackup.Native.Tls;

/// <summary>Immutable. Threads: any.</summary>
sealed class TlsFolder
{
    const string Authorities = "ca-cert.pem";

    readonly X509Certificate2Collection _authorities;

    TlsFolder(X509Certificate2Collection authorities, SslStreamCertificateContext? own) =>
        (_authorities, Own) = (authorities, own);

    /// <summary>The certificate of this side; null: a client without one.</summary>
    public SslStreamCertificateContext? Own { get; }

    /// <summary>How the other side's is judged. A new one for each connection.</summary>
    public X509ChainPolicy Policy
    {
        get
        {
            X509ChainPolicy policy = new()
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                DisableCertificateDownloads = true,
            };
            policy.CustomTrustStore.AddRange(_authorities);
            return policy;
        }
    }

    /// <param name="folder">As given.</param>
    /// <param name="isServer">Which certificate is this side's.</param>
    /// <param name="read">What is in it, or null.</param>
    /// <returns>Null, or why not: a clause that names the file.</returns>
    public static string? TryRead(string folder, bool isServer, out TlsFolder? read)
    {
        read = null;
        X509Certificate2Collection authorities = [];
        string path = Path.Combine(folder, Authorities);
        string own = Path.Combine(folder, isServer ? "server-cert.pem" : "client-cert.pem");
        string key = Path.Combine(folder, isServer ? "server-key.pem" : "client-key.pem");
        try
        {
            authorities.ImportFromPemFile(path);
            if (authorities.Count == 0)
                return $"'{path}' holds no certificate";
            path = own;
            SslStreamCertificateContext? context = null;
            if (isServer || File.Exists(own) || File.Exists(key))
            {
                using X509Certificate2 pair = X509Certificate2.CreateFromPemFile(own, key);
                context = SslStreamCertificateContext.Create(Usable(pair), null, offline: true);
            }
            read = new TlsFolder(authorities, context);
            return null;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            string missing = !File.Exists(path) ? path : key;
            return $"'{missing}' is missing";
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            return $"'{path}' is no certificate in PEM form, or its key does not belong to it";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return $"'{path}' or its key cannot be read";
        }
    }

    /// <summary>Windows takes no key that was never in a store.</summary>
    static X509Certificate2 Usable(X509Certificate2 pair) =>
        X509CertificateLoader.LoadPkcs12(pair.Export(X509ContentType.Pkcs12), null);
}
