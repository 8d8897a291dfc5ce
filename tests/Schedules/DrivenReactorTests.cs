// Host-driven engines whose threads drive in turn: every run of few threads within the bounds ends, with nothing left
// behind. And what the mends are for is found where they are taken away.
using System;
using FastBackup.Tests.Schedules.Machine;
using FastBackup.Tests.Schedules.Stand;
using Xunit;

namespace FastBackup.Tests.Schedules;

[Collection("one run at a time")]
public sealed class DrivenReactorTests(ITestOutputHelper output)
{
    [Fact]
    public void TwoThatPostAndPoll_AlwaysEnd() =>
        AssertAllEnd(new Bounds(2, 1), engine => [engine.Guest(0), engine.Guest(1)]);

    [Fact]
    public void OneThatPollsForAThreadThatDoesNot_AlwaysEnds() =>
        AssertAllEnd(new Bounds(1, 1), engine => [engine.Listener(0), engine.Poster(0), engine.Guest(1)]);

    [Fact]
    public void PollsBesideAColdCall_AlwaysEnd() =>
        AssertAllEnd(new Bounds(1, 1), engine => [engine.Listener(0), engine.Caller(0), engine.Guest(1)]);

    [Fact]
    public void Three_AlwaysEnd() =>
        AssertAllEnd(new Bounds(1, 1), engine => [engine.Guest(0), engine.Guest(1), engine.Guest(2)]);

    [Fact]
    public void AnEventLoopBesideAThreadThatPolls_AlwaysEnds() =>
        AssertAllEnd(new Bounds(2, 0), engine => [engine.Loop(0), engine.Guest(1)]);

    [Fact]
    public void TwoEventLoops_AlwaysEnd() => AssertAllEnd(new Bounds(1, 1), engine => [engine.Loop(0), engine.Loop(1)]);

    [Fact]
    public void TwoPosts_OneAfterTheOther_AlwaysEnd() =>
        AssertAllEnd(new Bounds(2, 0), engine => [engine.Guest(0, postCount: 2), engine.Guest(1)]);

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    public void AThreadOfAFile_BesideAnEventLoop_AlwaysEnds(int preemptions, int commandCount)
    {
        Exploration found = Play(
            new Bounds(preemptions, 0),
            engine => [engine.Sleeper(0, commandCount), engine.FileThread(0, commandCount)],
            new DrivenEngine(1, withFiles: true)
        );
        Assert.Null(found.Wrong);
        Assert.True(found.IsComplete);
    }

    [Fact]
    public void APortThatIsLeftUnarmed_AHang_IsFound()
    {
        Exploration found = Play(
            new Bounds(2, 0),
            engine => [engine.Sleeper(0, 2), engine.FileThread(0, 2)],
            new DrivenEngine(1, withFiles: true, forgets: true)
        );
        Assert.Contains("for ever waits", found.Wrong, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutASecondLookAfterLeaving_AHang_IsFound()
    {
        Exploration found = Play(
            new Bounds(1, 0),
            engine =>
            {
                engine.Reactor.SetWaiter(new ForgetfulWaiter(engine.HostLoop));
                return [engine.Guest(0), engine.Guest(1)];
            }
        );
        Assert.Contains("for ever waits", found.Wrong, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutFences_AHang_IsFound()
    {
        Run.Missing = Fences.OfOneThread;
        try
        {
            Exploration found = Play(new Bounds(2, 1), engine => [engine.Listener(0), engine.Poster(0)]);
            Assert.Contains("for ever waits", found.Wrong, StringComparison.Ordinal);
        }
        finally
        {
            Run.Missing = Fences.None;
        }
    }

    void AssertAllEnd(Bounds bounds, Func<DrivenEngine, Action[]> works)
    {
        Exploration found = Play(bounds, works);
        Assert.Null(found.Wrong);
        Assert.True(found.IsComplete);
    }

    Exploration Play(Bounds bounds, Func<DrivenEngine, Action[]> works, DrivenEngine? engine = null)
    {
        engine ??= new DrivenEngine(queueCount: 3); // one for all runs: it is as it was when a run has ended well
        Exploration found = Explorer.Play(bounds, () => (works(engine), engine.Look));
        output.WriteLine(found.ToString());
        return found;
    }
}
