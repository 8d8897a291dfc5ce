// What the command line asks of the image that a backup becomes.
using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

sealed record ImageTarget
{
    /// <summary>The previous point in time, on which the image is based; null: it stands alone.</summary>
    public string? Backing { get; init; }

    /// <summary>What that is taken for; Refused: what it looks like.</summary>
    public FormatRule BackingFormat { get; init; }
}
