// Which repository, and how it is opened, as the command line says.
namespace FastBackup.Cli;

/// <param name="Address">A folder, rest:URL or s3:URL.</param>
/// <param name="PasswordFile">Of an option; null: the environment says.</param>
sealed record RepositoryPlace(string Address, string? PasswordFile)
{
    /// <summary>As a shell reads it; null: none.</summary>
    public string? PasswordCommand { get; init; }
}
