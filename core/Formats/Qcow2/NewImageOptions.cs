// What a new image is, beside the size of its disk.
namespace FastBackup.Formats.Qcow2;

/// <summary>Immutable.</summary>
public sealed record NewImageOptions
{
    public const int BackingNameBytesMax = 1023;

    /// <summary>What the image is based on, as its readers will open it; null: nothing. 1 to 1023 bytes.</summary>
    public string? BackingName { get; init; }

    /// <summary>"raw" or "qcow2"; goes with a name.</summary>
    public string? BackingFormat { get; init; }

    /// <summary>Clusters are packed; null: they are not.</summary>
    public NewImagePacking? Packing { get; init; }

    /// <summary>Every cluster of the disk has a place, in the order of the disk, so that the first write of a guest
    /// changes no table; what is not written to is a hole. Not of one that is packed or based on another.</summary>
    public bool IsPreallocated { get; init; }
}
