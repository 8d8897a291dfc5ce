// The order of a tracker's writes, one batch after the other.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Store;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class TrackerStoreTests : IDisposable
{
    static readonly TrackerShape s_shape = TrackerScene.Shape;

    readonly ModelFile _file = new(TrackerScene.NewFile(TrackerScene.Header(s_shape)));
    readonly RecoveredTracker _tracker;
    readonly TrackerStore _store;

    public TrackerStoreTests()
    {
        _tracker = Recover();
        _store = new TrackerStore(_tracker);
    }

    public void Dispose() => _tracker.Dispose();

    [Fact]
    public void Intents_AreWrittenTwiceAndFlushedOnce()
    {
        Assert.True(_store.TryOpen(4));
        Assert.True(_store.TryOpen(9));
        _store.Intents.Begin();
        Assert.Equal("write 20000, write 21000, flush", Carry(_store.Intents.Batch));
        Assert.False(_store.IsOpen(s_shape.OfRegion(4)));
        _store.EndIntents();
        Assert.True(_store.IsOpen(s_shape.OfRegion(4)));
        using RecoveredTracker found = Recover();
        Assert.Equal(2ul, found.Open!.CountBits());
    }

    [Theory]
    [InlineData(false, "write 20000, flush, write 21000, flush")]
    [InlineData(true, "write 21000, flush, write 20000, flush")]
    public void WholeIntents_AreFlushedBetweenTheirCopies_WorseOneFirst(bool isSecondFirst, string steps)
    {
        _store.Intents.BeginWhole(isSecondFirst);
        Assert.Equal(steps, Carry(_store.Intents.Whole));
        _store.Intents.Whole.End();
        Assert.True(_store.Intents.IsIdle);
    }

    [Fact]
    public void CloseAll_ForgetsWhatWasCollected_AndOthersAreCollectedAnew()
    {
        Assert.True(_store.Intents.TrySet(4, isOpen: true));
        _store.Intents.CloseAll();
        Assert.True(_store.Intents.IsEmpty);
        Assert.False(_store.Intents.IsSet(4));
        Assert.True(_store.Intents.TrySet(9, isOpen: true));
        Assert.False(_store.Intents.IsEmpty);
        _store.Intents.Begin();
        Carry(_store.Intents.Batch);
        using RecoveredTracker found = Recover();
        Assert.Equal((1ul, true), (found.Open!.CountBits(), found.Open.GetBit(9)));
    }

    [Fact]
    public void FinePages_AreFlushedBetweenTheirCopies()
    {
        _store.Fine.Restart();
        Assert.True(_store.Fine.TryAddRegion(0));
        Assert.True(_store.Fine.TryAddRegion(5)); // on the same page
        _store.Fine.Batch.Begin();
        Assert.Equal("write 22000, flush, write 23000, flush", Carry(_store.Fine.Batch));
        _store.Fine.End();
    }

    [Fact]
    public void Header_IsFlushedBetweenItsCopies_WorseOneFirst()
    {
        _store.BeginHeader(_store.Header with { State = TrackerState.Inconsistent }, isSecondFirst: true);
        Assert.Equal("write 10000, flush, write 0, flush", Carry(_store.HeaderBatch));
        _store.HeaderBatch.End();
        using RecoveredTracker found = Recover();
        Assert.Equal(TrackerRefusal.Inconsistent, found.Refusal);
    }

    [Fact]
    public void IsOpen_AsksForEveryRegionOfTheRange()
    {
        Open(4);
        Open(5);
        ulong regionBytes = s_shape.RegionBytes;
        Assert.True(_store.IsOpen(new Extent(4 * regionBytes, 2 * regionBytes)));
        Assert.True(_store.IsOpen(new Extent(5 * regionBytes - 1, 2)));
        Assert.False(_store.IsOpen(new Extent(4 * regionBytes - 1, 2)));
        Assert.False(_store.IsOpen(new Extent(5 * regionBytes, regionBytes + 1)));
        Assert.True(_store.IsOpen(new Extent(0, 0)));
        Assert.False(_store.IsOpen(new Extent(s_shape.DiskBytes - 1, 1)));
        _store.GiveUp();
        Assert.True(_store.IsOpen(new Extent(0, s_shape.DiskBytes)));
    }

    [Fact]
    public void TryClose_OfARegionThatChangedSinceTheFlush_LeavesItOpen()
    {
        Open(4);
        Mark(4);
        Assert.False(_store.TryClose(4)); // no flush yet
        Flush(4);
        _tracker.Changed!.SetBits(4 * 64 + 1, 1);
        Assert.False(_store.TryClose(4));
        Flush(4);
        Assert.True(_store.TryClose(4));
        Assert.False(_store.IsOpen(s_shape.OfRegion(4))); // from here on, not when the file says so
    }

    [Fact]
    public void TryClose_OfARegionThatIsBeingOpened_IsFalse()
    {
        Flush(4);
        Assert.True(_store.TryOpen(4));
        Assert.False(_store.TryClose(4)); // else the gate would open what the file has closed
        _store.Intents.Begin();
        Assert.False(_store.TryOpen(5)); // comes with the next batch
        Carry(_store.Intents.Batch);
        _store.EndIntents();
        using RecoveredTracker found = Recover();
        Assert.True(found.Open!.GetBit(4));
    }

    [Fact]
    public void TryOpen_OfARegionThatIsBeingClosed_LeavesItOpenInTheFile()
    {
        Open(4);
        Mark(4);
        Flush(4);
        Assert.True(_store.TryClose(4));
        Assert.True(_store.TryOpen(4));
        _store.Intents.Begin();
        Carry(_store.Intents.Batch);
        _store.EndIntents();
        Assert.True(_store.IsOpen(s_shape.OfRegion(4)));
        using RecoveredTracker found = Recover();
        Assert.True(found.Open!.GetBit(4));
    }

    [Fact]
    public void TryClose_BeforeTheFlushHasEnded_IsFalse()
    {
        Open(4);
        Mark(4);
        _store.Fine.Restart();
        Assert.True(_store.Fine.TryAddRegion(4));
        _store.Fine.Batch.Begin();
        Carry(_store.Fine.Batch);
        Assert.False(_store.TryClose(4));
        _store.Fine.End();
        Assert.True(_store.TryClose(4));
    }

    [Fact]
    public void Sequences_RiseWithEveryBatch()
    {
        // Of two whole copies the newer one counts, also where storage has kept an older one without a word.
        ulong[] sequences = [0, 0];
        for (ulong region = 0; region < 3; region++)
        {
            Open(region);
            Flush(region);
            ulong tag = _store.Header.TrackerTag;
            ulong intents = SequenceAt(0x20000, 512, new BlockPlace(BlockKind.Intents, tag, 0, 0));
            ulong fine = SequenceAt(0x22000, 4096, new BlockPlace(BlockKind.Fine, tag, TrackerScene.MapId, 0));
            Assert.True(intents > sequences[0]);
            Assert.True(fine > sequences[1]);
            sequences = [intents, fine];
        }
    }

    ulong SequenceAt(int at, int blockBytes, BlockPlace place)
    {
        Assert.True(SealedBlock.TryOpen(_file.Cached.AsSpan(at, blockBytes), place, out ulong sequence));
        return sequence;
    }

    [Fact]
    public void LastRegion_IsOpenedFlushedAndClosed()
    {
        ulong last = s_shape.RegionCount - 1;
        Open(last);
        _tracker.Changed!.SetBits(s_shape.GranuleCount - 1, 1);
        Flush(last);
        Assert.True(_store.TryClose(last));
        _store.Intents.Begin();
        Carry(_store.Intents.Batch);
        _store.EndIntents();
        using RecoveredTracker found = Recover();
        Assert.Equal((1ul, 0ul), (found.Changed!.CountBits(), found.Open!.CountBits()));
    }

    void Open(ulong region)
    {
        Assert.True(_store.TryOpen(region));
        _store.Intents.Begin();
        Carry(_store.Intents.Batch);
        _store.EndIntents();
    }

    void Mark(ulong region) => _tracker.Changed!.SetBits(region * 64, 1);

    void Flush(ulong region)
    {
        _store.Fine.Restart();
        Assert.True(_store.Fine.TryAddRegion(region));
        _store.Fine.Batch.Begin();
        Carry(_store.Fine.Batch);
        _store.Fine.End();
    }

    string Carry(TrackerBatch batch)
    {
        List<string> steps = [];
        while (batch.TryNext(out TrackerStep step))
        {
            steps.Add(step.IsFlush ? "flush" : $"write {step.OffsetBytes:x}");
            if (step.IsFlush)
                _file.Flush();
            else
                _file.Write(step.OffsetBytes, batch.BytesOf(step));
        }
        return string.Join(", ", steps);
    }

    RecoveredTracker Recover()
    {
        TrackerHeader header = TrackerScene.Header(s_shape);
        return TrackerRecovery.Recover(
            _file,
            new TrackerWorld(header.DiskId, s_shape.DiskBytes, header.Stamp, 0, header.Home, IsFileSettled: true)
        );
    }
}
