// Counts of a host's writes that a test sets by hand.
using FastBackup.Pacing;

namespace FastBackup.Tests.Unit.Pacing;

sealed class ManualWriteCounts : IWriteCounts
{
    public ulong BegunCount { get; set; }

    public ulong EndedCount { get; set; }

    public void Read(out ulong begunCount, out ulong endedCount) => (begunCount, endedCount) = (BegunCount, EndedCount);
}
