// Where the entry of a cluster is: a piece of its L2 table that is in memory.
using System;

namespace FastBackup.Formats.Qcow2;

/// <summary>Until the cache of tables is asked again.</summary>
readonly ref struct TablePlace
{
    /// <summary>Of the disk.</summary>
    public required ulong Cluster { get; init; }

    /// <summary>Of the piece, in the file.</summary>
    public required ulong PieceHostBytes { get; init; }

    public required ReadOnlySpan<byte> Piece { get; init; }

    /// <summary>Of the entry in the piece.</summary>
    public required int Index { get; init; }
}
