// What a job's target in a repository is: whose disk, of what size, and from which point it goes on.
namespace FastBackup.Repositories;

sealed record PointTargetOptions
{
    public required string Address { get; init; }

    public required string Password { get; init; }

    /// <summary>Where there is no repository, one is made.</summary>
    public bool MayCreate { get; init; }

    public required string Host { get; init; }

    /// <summary>Its name there.</summary>
    public required string Disk { get; init; }

    public required ulong SizeBytes { get; init; }

    /// <summary>For people, in disk.json.</summary>
    public required string Source { get; init; }

    /// <summary>Null: as the parent has it, else by the size.</summary>
    public ulong? ChunkBytes { get; init; }

    /// <summary>Smaller than where a command has the machine for itself: hosts may have little memory.</summary>
    public int PackBytes { get; init; } = PointHead.PackBytesMin;

    public string[] Tags { get; init; } = [];

    /// <summary>The point that what a job does not copy is taken from: its first digits, or "latest" if that has a
    /// checkpoint. Null: the job copies all.</summary>
    public string? Parent { get; init; }

    public const string Latest = "latest";
}
