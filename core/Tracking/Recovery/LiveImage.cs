// A live map that lies in a file of its own in memory, as whoever comes next finds it.
using System;

namespace FastBackup.Tracking.Recovery;

/// <summary>Immutable. Threads: one.</summary>
/// <param name="Bits">As in memory, from offset 0; whole pages.</param>
/// <param name="TrackerId">Whose it is.</param>
/// <param name="MapId">Which map.</param>
/// <param name="Sequence">Of the header that says "open", and was written after it.</param>
/// <param name="IsVoid">Its tracker has failed: it is inconsistent, whatever its file says.</param>
sealed record LiveImage(ITrackerReader Bits, UInt128 TrackerId, ulong MapId, ulong Sequence, bool IsVoid);
