// How the clusters of a new image are packed.
namespace FastBackup.Formats.Qcow2;

/// <param name="Type">By what.</param>
/// <param name="Level">1, the fastest, to LevelMax of the type.</param>
public sealed record NewImagePacking(Qcow2Compression Type, int Level)
{
    public static int LevelMax(Qcow2Compression type) => type == Qcow2Compression.Zstd ? 19 : 9;
}
