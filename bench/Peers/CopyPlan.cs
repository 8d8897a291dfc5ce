// One copy that a peer is asked for.
namespace FastBackup.Bench.Peers;

/// <param name="SourcePath">A file full of data.</param>
/// <param name="TargetPath">A file of the same size that exists, sparse or allocated.</param>
/// <param name="SizeBytes">Of both.</param>
/// <param name="IsDirect">Whether the file system takes O_DIRECT; else all use the page cache.</param>
public sealed record CopyPlan(string SourcePath, string TargetPath, ulong SizeBytes, bool IsDirect);
