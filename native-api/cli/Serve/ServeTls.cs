// What serve was told of TLS.
using System.Linq;

namespace FastBackup.Cli;

/// <param name="Rule">Whether clients must, may or cannot use it.</param>
/// <param name="Folder">Of certificates; null where it is off.</param>
/// <param name="Clients">Exports by the names of clients; null: every client that is trusted may have all.</param>
sealed record ServeTls(TlsRule Rule, string? Folder, ILookup<string, string>? Clients);
