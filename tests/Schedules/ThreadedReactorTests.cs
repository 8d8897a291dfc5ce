// A reactor with a thread of its own, which sleeps in its port: no post is left lying. And the gate of a disk, behind
// which a change is made: nobody is inside meanwhile.
using System;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Ports;
using FastBackup.Runtime;
using FastBackup.Tests.Schedules.Machine;
using FastBackup.Tests.Schedules.Stand;
using Xunit;

namespace FastBackup.Tests.Schedules;

[Collection("one run at a time")]
public sealed class ThreadedReactorTests(ITestOutputHelper output)
{
    [Fact]
    public void Posts_AlwaysArrive() => AssertAllEnd(new Bounds(2, 1), () => Posting(2));

    [Fact]
    public void StandingPosts_AlwaysArrive() => AssertAllEnd(new Bounds(2, 1), () => Standing(2));

    [Fact]
    public void StandingPosts_WithoutFences_StillArrive()
    {
        // They are published by an exchange, which is a fence: what the others need one for is not theirs.
        Assert.Null(Without(Fences.OfOneThread, new Bounds(2, 1), () => Standing(1)).Wrong);
    }

    [Fact]
    public void Posts_WithoutFences_AreFoundLying()
    {
        Exploration found = Without(Fences.OfOneThread, new Bounds(2, 1), () => Posting(1));
        Assert.Contains("for ever waits", found.Wrong, StringComparison.Ordinal);
    }

    [Fact]
    public void AQuiescedChange_FindsNobodyInside_AndAlwaysComes() =>
        AssertAllEnd(new Bounds(1, 1), () => Gate(mustCome: true));

    [Fact]
    public void AQuiescedChange_WithoutFences_IsFoundWaitingForAWriteThatHasEnded()
    {
        Exploration found = Without(Fences.OfAllThreads, new Bounds(1, 1), () => Gate(mustCome: true));
        Assert.Contains("for ever waits", found.Wrong, StringComparison.Ordinal);
    }

    [Fact]
    public void AQuiescedChange_WithoutFences_IsFoundBesideAWrite()
    {
        Exploration found = Without(Fences.OfAllThreads, new Bounds(1, 1), () => Gate(mustCome: false));
        Assert.Contains("inside", found.Wrong, StringComparison.Ordinal);
    }

    /// <summary>Some post, one takes until all have come.</summary>
    static (Action[] Works, Func<string?> Look) Posting(int posterCount)
    {
        Reactor reactor = new(new QuietPort(), new StoppedClock(), new ReactorLimits(4, 4, 4));
        Counter counter = new();
        void Take()
        {
            while (counter.Count < posterCount)
                _ = reactor.Turn(ulong.MaxValue);
        }
        Action[] works = new Action[posterCount + 1];
        works[0] = Take;
        for (int i = 1; i <= posterCount; i++)
            works[i] = () => Check.That(reactor.TryPost(counter, 0));
        return (works, () => counter.Count == posterCount ? null : "a post came twice");
    }

    /// <summary>Some have something done by one standing post of theirs all, until all has been.</summary>
    static (Action[] Works, Func<string?> Look) Standing(int posterCount)
    {
        Reactor reactor = new(new QuietPort(), new StoppedClock(), new ReactorLimits(4, 4, 4));
        int published = 0;
        int taken = 0;
        StandingPost post = new(new Order(() => taken += Interlocked.Exchange(ref published, 0)));
        void Take()
        {
            while (taken < posterCount)
                _ = reactor.Turn(ulong.MaxValue);
        }
        Action[] works = new Action[posterCount + 1];
        works[0] = Take;
        for (int i = 1; i <= posterCount; i++)
            works[i] = () =>
            {
                _ = Interlocked.Increment(ref published);
                reactor.Post(post);
            };
        return (works, () => taken == posterCount ? null : "something was done twice");
    }

    /// <summary>A guest writes, and a change is asked for on a thread of its own.</summary>
    static (Action[] Works, Func<string?> Look) Gate(bool mustCome)
    {
        Reactor reactor = new(new QuietPort(), new StoppedClock(), new ReactorLimits(4, 4, 4));
        Disk disk = new(reactor, new StillDevice(), "disk", slotCount: 2);
        Writer writer = new(disk, reactor);
        bool isChanged = false;
        string? wrong = null;
        Order order = new(() =>
            Disk.Quiesce(
                reactor,
                [disk],
                () =>
                {
                    if (writer.IsInside)
                        wrong = "a write is inside";
                    isChanged = true;
                }
            )
        );
        void Turn()
        {
            while ((mustCome && !isChanged) || !writer.IsDone)
                _ = reactor.Turn(ulong.MaxValue);
        }
        void Ask() => Check.That(reactor.TryPost(order, 0));
        return ([Turn, writer.Write, Ask], () => wrong);
    }

    void AssertAllEnd(Bounds bounds, Func<(Action[] Works, Func<string?> Look)> prepare)
    {
        Exploration found = Explorer.Play(bounds, prepare);
        output.WriteLine(found.ToString());
        Assert.Null(found.Wrong);
        Assert.True(found.IsComplete);
    }

    Exploration Without(Fences missing, Bounds bounds, Func<(Action[] Works, Func<string?> Look)> prepare)
    {
        Run.Missing = missing;
        try
        {
            Exploration found = Explorer.Play(bounds, prepare);
            output.WriteLine(found.ToString());
            return found;
        }
        finally
        {
            Run.Missing = Fences.None;
        }
    }

    sealed class Counter : ILoopTask
    {
        public int Count { get; private set; }

        void ILoopTask.Run(ulong argument) => Count++;
    }

    sealed class Order(Action action) : ILoopTask
    {
        void ILoopTask.Run(ulong argument) => action();
    }

    sealed class Writer(Disk disk, Reactor reactor) : IGuestOwner
    {
        bool _isGranted;

        public bool IsInside { get; private set; }

        public bool IsDone { get; private set; }

        public void Write()
        {
            Grant grant = disk.BeginWrite(0, 4096, this, 0, out _);
            if (grant == Grant.Pending)
                _ = Run.Await(() => _isGranted);
            IsInside = true;
            Run.Step(); // the write lands
            IsInside = false;
            disk.EndWrite();
            IsDone = true;
            Check.That(reactor.TryPost(new Order(() => { }), 0)); // which looks whether it can end
        }

        void IGuestOwner.OnGuestCompleted(ulong userData, Fault fault) => _isGranted = fault.IsNone;
    }
}
