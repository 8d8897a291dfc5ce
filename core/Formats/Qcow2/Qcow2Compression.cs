// How compressed clusters are packed. The numbers are the header's.
namespace FastBackup.Formats.Qcow2;

public enum Qcow2Compression : byte
{
    /// <summary>Raw deflate, without the head and end of zlib.</summary>
    Zlib = 0,
    Zstd = 1,
}
