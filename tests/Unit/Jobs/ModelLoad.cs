// What a modelled guest does.
namespace FastBackup.Tests.Unit.Jobs;

/// <param name="PerSecond">Open loop: mean rate, 0 = closed loop.</param>
/// <param name="Depth">Closed loop: requests out at a time.</param>
/// <param name="IsHook">The guest does its own I/O.</param>
/// <param name="SpanBytes">It writes to so many bytes; 0 = all.</param>
/// <param name="SpanStartBytes">Where they begin.</param>
sealed record ModelLoad(double PerSecond, int Depth, bool IsHook, ulong SpanBytes = 0, ulong SpanStartBytes = 0);
