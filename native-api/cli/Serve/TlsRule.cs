// --tls of serve.
namespace FastBackup.Cli;

enum TlsRule
{
    /// <summary>Everything is in the clear.</summary>
    Off,

    /// <summary>A client chooses.</summary>
    Allow,

    /// <summary>Nobody is served without.</summary>
    Require,
}
