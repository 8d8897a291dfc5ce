// What an L2 entry says of a cluster, or of a part of it.
namespace FastBackup.Formats.Qcow2;

enum ClusterKind : byte
{
    /// <summary>Not here: what the image is based on has it, or it is zero.</summary>
    Unallocated,
    Zero,
    Data,
    Compressed,

    /// <summary>No writer makes such an entry.</summary>
    Corrupt,
}
