// How a client reaches a server.
namespace FastBackup.Native.Tls;

/// <param name="Folder">Whom to trust, and whose certificate to show; null: the system's authorities, and none.</param>
/// <param name="Host">What the server's certificate must be for.</param>
sealed record TlsClientRules(TlsFolder? Folder, string Host);
