// What whoever opens a disk has to say about it.
namespace FastBackup.Devices.Opening;

/// <summary>How to open a device.</summary>
public sealed record FileOpenOptions
{
    public const uint InFlightDefault = 1024;

    public required string Path { get; init; }

    public bool IsReadOnly { get; init; }

    /// <summary>Creates the file, which must not exist, with this size; null opens what is there.</summary>
    public ulong? CreateBytes { get; init; }

    /// <summary>With CreateBytes, of a file that is there: what is in it stays, and nothing reads as zero.</summary>
    public bool IsContentKept { get; init; }

    /// <summary>
    /// With CreateBytes: the name is taken away as soon as the file is open, so that nothing is left behind however the
    /// process ends.
    /// </summary>
    public bool IsNameless { get; init; }

    /// <summary>False takes the page cache on purpose.</summary>
    public bool IsDirect { get; init; } = true;

    /// <summary>Nobody is asked whether it is in use, and nobody is told that it is now.</summary>
    public bool IsLockIgnored { get; init; }

    /// <summary>For what exists; a new file has no format.</summary>
    public FormatRule Format { get; init; }

    /// <summary>See <see cref="BlockLimits.IsHeadGuarded"/>.</summary>
    public bool IsHeadGuarded { get; init; }

    /// <summary>
    /// Of an image that is written to: who opens it records all writes in its bitmaps, and stores them at the end.
    /// </summary>
    public bool KeepsBitmaps { get; init; }

    public uint InFlightMax { get; init; } = InFlightDefault;

    /// <summary>For a server's disk.</summary>
    public RemoteOpenOptions Remote { get; init; } = new();
}
