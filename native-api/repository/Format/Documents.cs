// The small JSON documents of a repository: its configuration, key files, locks, snapshots, and ours beside a disk.
// Names and meaning are the format's; what others add is passed over, what we add in disk.json others never read.
// Source: restic's doc/design.rst.
using System.Collections.Generic;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FastBackup.Repositories;

sealed record ConfigDocument(
    [property: JsonPropertyName("version")] int Version,
    [property: JsonPropertyName("id")] string Id,
    [property: JsonPropertyName("chunker_polynomial")] string ChunkerPolynomial
);

/// <summary>A password's way to the master key. Bytes are Base64.</summary>
sealed record KeyDocument(
    [property: JsonPropertyName("created")] string Created,
    [property: JsonPropertyName("username")] string Username,
    [property: JsonPropertyName("hostname")] string Hostname,
    [property: JsonPropertyName("kdf")] string Derivation,
    [property: JsonPropertyName("N")] int Cost,
    [property: JsonPropertyName("r")] int BlockSize,
    [property: JsonPropertyName("p")] int Parallel,
    [property: JsonPropertyName("salt")] byte[]? Salt,
    [property: JsonPropertyName("data")] byte[]? SealedKey
);

sealed record MasterKeyDocument(
    [property: JsonPropertyName("mac")] MasterKeyMac? Mac,
    [property: JsonPropertyName("encrypt")] byte[]? Encrypt
);

sealed record MasterKeyMac(
    [property: JsonPropertyName("k")] byte[]? Key,
    [property: JsonPropertyName("r")] byte[]? Point
);

sealed record LockDocument(
    [property: JsonPropertyName("time")] string Time,
    [property: JsonPropertyName("exclusive")] bool IsExclusive,
    [property: JsonPropertyName("hostname")] string Hostname,
    [property: JsonPropertyName("username")] string Username,
    [property: JsonPropertyName("pid")] long ProcessId
);

sealed record SnapshotDocument(
    [property: JsonPropertyName("time")] string Time,
    [property: JsonPropertyName("parent")] string? Parent,
    [property: JsonPropertyName("tree")] string Tree,
    [property: JsonPropertyName("paths")] IReadOnlyList<string>? Paths,
    [property: JsonPropertyName("hostname")] string? Hostname,
    [property: JsonPropertyName("username")] string? Username,
    [property: JsonPropertyName("tags")] IReadOnlyList<string>? Tags
);

/// <summary>disk.json: what a point in time of a disk is.</summary>
/// <param name="Format">1.</param>
/// <param name="Host">Whose disk.</param>
/// <param name="Disk">Its name there.</param>
/// <param name="Source">As the backup was given it.</param>
/// <param name="SizeBytes">Of the disk.</param>
/// <param name="ChunkBytes">Of all its chunks but the last.</param>
/// <param name="SegmentBytes">Of all its files but the last; 0: one file.</param>
/// <param name="Time">T0, as RFC 3339.</param>
/// <param name="Mode">"full" or "incremental".</param>
/// <param name="Reason">Why full.</param>
/// <param name="Parent">The snapshot from which chunks were taken.</param>
/// <param name="Checkpoint">Of the tracker, made at T0; null: none.</param>
/// <param name="CheckpointNs">When that was made.</param>
/// <param name="ReadBytes">Of the disk.</param>
/// <param name="StoredBytes">New in the repository.</param>
sealed record DiskDocument(
    [property: JsonPropertyName("format")] int Format,
    [property: JsonPropertyName("host")] string Host,
    [property: JsonPropertyName("disk")] string Disk,
    [property: JsonPropertyName("source")] string Source,
    [property: JsonPropertyName("size_bytes")] ulong SizeBytes,
    [property: JsonPropertyName("chunk_bytes")] ulong ChunkBytes,
    [property: JsonPropertyName("segment_bytes")] ulong SegmentBytes,
    [property: JsonPropertyName("time")] string Time,
    [property: JsonPropertyName("mode")] string Mode,
    [property: JsonPropertyName("reason")] string? Reason,
    [property: JsonPropertyName("parent")] string? Parent,
    [property: JsonPropertyName("checkpoint")] string? Checkpoint,
    [property: JsonPropertyName("checkpoint_ns")] ulong CheckpointNs,
    [property: JsonPropertyName("read_bytes")] ulong ReadBytes,
    [property: JsonPropertyName("stored_bytes")] ulong StoredBytes
);

/// <summary>A file that a REST server lists.</summary>
sealed record ListedFile(
    [property: JsonPropertyName("name")] string? Name,
    [property: JsonPropertyName("size")] long SizeBytes
);

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ConfigDocument))]
[JsonSerializable(typeof(KeyDocument))]
[JsonSerializable(typeof(MasterKeyDocument))]
[JsonSerializable(typeof(LockDocument))]
[JsonSerializable(typeof(SnapshotDocument))]
[JsonSerializable(typeof(DiskDocument))]
[JsonSerializable(typeof(ListedFile[]))]
sealed partial class Documents : JsonSerializerContext
{
    static Documents? _readable;

    /// <summary>As Default; Base64 and names stay as they are.</summary>
    public static Documents Readable =>
        _readable ??= new(
            new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
        );
}
