// What a modelled guest does.
namespace FastBackup.Tests.Unit.Jobs;

/// <param name="PerSecond">Open loop: mean rate, 0 = closed loop.</param>
/// <param name="Depth">Closed loop: requests out at a time.</param>
/// <param name="IsHook">The guest does its own I/O.</param>
/// <param name="SpanBytes">It writes to so many bytes; 0 = all.</param>
/// <param name="SpanStartBytes">Where they begin.</param>
/// <param name="ReadPercent">So many of a hundred requests read.</param>
/// <param name="FlushesEach">A flush follows each write, and counts as a request.</param>
/// <param name="ZipfExponent">Few places are written often, by this law; 0 = all alike.</param>
/// <param name="Reports">Its host tells the engine what each request took.</param>
sealed record ModelLoad(
    double PerSecond,
    int Depth,
    bool IsHook,
    ulong SpanBytes = 0,
    ulong SpanStartBytes = 0,
    uint ReadPercent = 0,
    bool FlushesEach = false,
    double ZipfExponent = 0,
    bool Reports = false
);
