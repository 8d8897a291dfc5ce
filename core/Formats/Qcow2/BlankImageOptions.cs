// What an image is that is made, as QEMU's create options have it and its header says it.
namespace FastBackup.Formats.Qcow2;

/// <summary>Immutable.</summary>
public sealed record BlankImageOptions
{
    /// <summary>Of the disk: whole sectors of 512.</summary>
    public required ulong SizeBytes { get; init; }

    /// <summary>2 or 3.</summary>
    public uint Version { get; init; } = 3;

    /// <summary>A power of two, 512 bytes to 2 MiB.</summary>
    public ulong ClusterBytes { get; init; } = 65536;

    /// <summary>A power of two, 1 to 64.</summary>
    public uint RefcountBits { get; init; } = 16;

    /// <summary>Entries with 32 parts of a cluster; takes clusters of 16 KiB at least.</summary>
    public bool HasSubclusters { get; init; }

    /// <summary>Reference counts may be behind while a program has it open.</summary>
    public bool IsLazy { get; init; }

    public Qcow2Compression Compression { get; init; } = Qcow2Compression.Zlib;

    /// <summary>What it is based on, as its readers will open it; null: nothing.</summary>
    public string? BackingName { get; init; }

    /// <summary>Of that; null: not recorded.</summary>
    public string? BackingFormat { get; init; }

    /// <summary>Where the guest's data lies; null: in the image itself.</summary>
    public string? DataFileName { get; init; }

    /// <summary>That file is the disk by itself; every cluster has its entry then.</summary>
    public bool IsDataFileRaw { get; init; }

    /// <summary>Every cluster has a place from the start, so that the first write to it changes no table.</summary>
    public bool IsPreallocated { get; init; }
}
