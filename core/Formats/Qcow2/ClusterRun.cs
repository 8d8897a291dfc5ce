// A piece of a disk that one look at the tables explains.
namespace FastBackup.Formats.Qcow2;

/// <param name="Kind">Of all of it.</param>
/// <param name="LengthBytes">From the offset that was asked for.</param>
/// <param name="HostBytes">Data: where its first byte lies. Compressed: where the packed cluster begins.</param>
/// <param name="PackedBytes">Compressed: how long that is at most.</param>
readonly record struct ClusterRun(ClusterKind Kind, ulong LengthBytes, ulong HostBytes = 0, uint PackedBytes = 0);
