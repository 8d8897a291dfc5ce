// A header of the store: which copy is written first, and that it is newer than the one before.
using System;
using System.Collections.Generic;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Store;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class HeaderStepsTests : IDisposable
{
    readonly StoreBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData(false, 0ul, HeaderBytes.SecondCopyAt)]
    [InlineData(true, HeaderBytes.SecondCopyAt, 0ul)]
    public void EachHeader_IsNewerThanTheLast_AndItsWorseCopyIsWrittenFirst(
        bool isSecondFirst,
        ulong firstAt,
        ulong secondAt
    )
    {
        TrackerStore store = _bench.Store;
        ulong before = store.Header.Sequence;
        for (ulong count = 1; count < 4; count++)
        {
            store.BeginHeader(store.Header with { State = TrackerState.Inconsistent }, isSecondFirst);
            List<ulong?> steps = [];
            while (store.HeaderBatch.TryNext(out TrackerStep step))
                steps.Add(step.IsFlush ? null : step.OffsetBytes);
            Assert.Equal([firstAt, null, secondAt, null], steps);
            store.HeaderBatch.End();
            Assert.Equal(before + count, store.Header.Sequence);
        }
    }
}
