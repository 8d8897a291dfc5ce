// What the command line asks of the image that a backup becomes.
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;

namespace FastBackup.Cli;

sealed record ImageTarget
{
    /// <summary>The previous point in time, on which the image is based; null: it stands alone.</summary>
    public string? Backing { get; init; }

    /// <summary>What that is taken for; Refused: what it looks like.</summary>
    public FormatRule BackingFormat { get; init; }

    /// <summary>Its clusters are packed; null: they are not.</summary>
    public NewImagePacking? Packing { get; init; }

    /// <summary>All its clusters have a place.</summary>
    public bool IsPreallocated { get; init; }
}
