namespace FastBackup.Tests.Hosts.Traces;

/// <summary>Requests that are under way at the same time.</summary>
/// <param name="Live">To the disk; no two of them overlap, so that their order does not matter.</param>
/// <param name="Views">Reads of the disk as it was; they may overlap everything.</param>
sealed record TraceBatch(TraceRequest[] Live, TraceRequest[] Views);
