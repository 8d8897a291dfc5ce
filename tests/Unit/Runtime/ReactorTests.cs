// The loop: what runs in which order, what wakes it, what stops it.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Ports;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Runtime;

public sealed class ReactorTests
{
    [Fact]
    public void Timers_RunInOrderOfTheirTimes_AndNotBefore()
    {
        TestSeed.ForEach(20, Run);
        static void Run(ulong seed)
        {
            using SimulatedLoop loop = new(seed);
            Prng prng = new(seed);
            Recorder recorder = new(loop.Clock);
            SortedSet<(ulong DeadlineNs, ulong Number)> expected = [];
            List<(ulong Key, ulong DeadlineNs, ulong Number)> started = [];
            for (ulong number = 0; number < 200; number++)
            {
                ulong deadlineNs = loop.Clock.NowNs + prng.Below(1000);
                started.Add((loop.Reactor.StartTimer(deadlineNs, recorder, number), deadlineNs, number));
                expected.Add((deadlineNs, number));
            }
            foreach ((ulong key, ulong deadlineNs, ulong number) in started)
            {
                if (!prng.Chance(1, 3))
                    continue;
                loop.Reactor.CancelTimer(key);
                loop.Reactor.CancelTimer(key);
                expected.Remove((deadlineNs, number));
            }
            loop.RunUntil(() => recorder.Arguments.Count == expected.Count);
            Assert.Equal([.. System.Linq.Enumerable.Select(expected, item => item.Number)], recorder.Arguments);
            for (int i = 0; i < recorder.Arguments.Count; i++)
                Assert.True(recorder.TimesNs[i] >= started[(int)recorder.Arguments[i]].DeadlineNs);
        }
    }

    [Fact]
    public void CancelledTimers_LeaveAtOnce()
    {
        // A guest's wait starts a timer of 30 s and nearly always cancels it: far more than the table has entries.
        using SimulatedLoop loop = new(1);
        Recorder recorder = new(loop.Clock);
        for (ulong i = 0; i < 20_000; i++)
            loop.Reactor.CancelTimer(
                loop.Reactor.StartTimer(loop.Clock.NowNs + 30 * Units.NsPerSecond + i % 7, recorder, i)
            );
        Assert.False(loop.Reactor.Turn(0));
        Assert.Empty(recorder.Arguments);
    }

    [Fact]
    public void MoreTimersAndDeferredTasks_ThanTheTablesHold_AreAllRunInOrder()
    {
        using SimulatedLoop loop = new(1);
        Recorder recorder = new(loop.Clock);
        const ulong count = 20_000;
        for (ulong i = 0; i < count; i++)
            loop.Reactor.StartTimer(loop.Clock.NowNs + Units.NsPerSecond + i, recorder, i);
        for (ulong i = 0; i < count; i++)
            loop.Reactor.Defer(recorder, count + i);
        loop.RunUntil(() => recorder.Arguments.Count == (int)(2 * count));
        for (ulong i = 0; i < 2 * count; i++)
            Assert.Equal((i + count) % (2 * count), recorder.Arguments[(int)i]);
    }

    [Fact]
    public void CancellingATimerThatRan_IsIgnored_AlsoWhenItsSlotIsReused()
    {
        using SimulatedLoop loop = new(1);
        Recorder recorder = new(loop.Clock);
        ulong first = loop.Reactor.StartTimer(0, recorder, 1);
        loop.Reactor.Turn(0);
        ulong second = loop.Reactor.StartTimer(0, recorder, 2);
        loop.Reactor.CancelTimer(first);
        Assert.NotEqual(first, second);
        loop.Reactor.Turn(0);
        Assert.Equal([1ul, 2ul], recorder.Arguments);
    }

    [Fact]
    public void DeferredTasks_RunInTheNextTurn_InOrder()
    {
        using SimulatedLoop loop = new(1);
        Recorder recorder = new(loop.Clock);
        for (ulong i = 0; i < 10; i++)
            loop.Reactor.Defer(recorder, i);
        Assert.Empty(recorder.Arguments);
        Assert.True(loop.Reactor.Turn(ulong.MaxValue));
        Assert.Equal(10, recorder.Arguments.Count);
        Assert.True(recorder.IsAscending);
    }

    [Fact]
    public void WhatIsPutOffToATurnsEnd_RunsAfterAllElse_AndOnce()
    {
        using SimulatedLoop loop = new(1);
        Recorder recorder = new(loop.Clock);
        loop.Reactor.AtTurnEnd(recorder, 3);
        loop.Reactor.StartTimer(0, recorder, 2);
        loop.Reactor.Defer(recorder, 1);
        loop.Reactor.TryPost(recorder, 0);
        loop.Reactor.Turn(0);
        Assert.Equal([0ul, 1ul, 2ul, 3ul], recorder.Arguments);
        Assert.False(loop.Reactor.Turn(0));
        Assert.Equal(4, recorder.Arguments.Count);
    }

    [Fact]
    public void ATurnThatTookAPost_DidSomething_AndDoesNotWait()
    {
        using SimulatedLoop loop = new(1);
        Assert.True(loop.Reactor.TryPost(new Counter(), 0));
        ulong beforeNs = loop.Clock.NowNs;
        Assert.True(loop.Reactor.Turn(Units.NsPerSecond));
        Assert.Equal(beforeNs, loop.Clock.NowNs);
        Assert.False(loop.Reactor.Turn(0));
    }

    [Fact]
    public void ATurnThatMayWaitAfterWork_WaitsOnlyWhereNothingIsLeftToDo()
    {
        using SimulatedLoop loop = new(1);
        Recorder recorder = new(loop.Clock);
        ulong startNs = loop.Clock.NowNs;
        _ = loop.Reactor.StartTimer(startNs + 1000, recorder, 9);
        loop.Reactor.Defer(recorder, 1);
        loop.Reactor.AtTurnEnd(recorder, 2);
        Assert.True(loop.Reactor.Turn(ulong.MaxValue, waitsAfterWork: true));
        Assert.Equal(startNs, loop.Clock.NowNs); // the end of the turn was to come
        loop.Reactor.Defer(recorder, 3);
        Assert.True(loop.Reactor.Turn(ulong.MaxValue));
        Assert.Equal(startNs, loop.Clock.NowNs); // who turns looks at what was done
        loop.Reactor.Defer(recorder, 4);
        Assert.True(loop.Reactor.Turn(ulong.MaxValue, waitsAfterWork: true));
        Assert.Equal(startNs + 1000, loop.Clock.NowNs);
        Assert.Equal([1, 2, 3, 4], recorder.Arguments);
    }

    [Fact]
    public void OnlyTheReactorsOwnThread_MustNotWait()
    {
        using ThreadedFileIo fileIo = new(1, 16, "fb-test");
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        Assert.False(reactor.MustNotWait); // nobody's thread: a test's
        reactor.Start("fb-test-reactor");
        Assert.False(reactor.MustNotWait);
        bool mustNotWait = false;
        reactor.Invoke(() => mustNotWait = reactor.MustNotWait);
        Assert.True(mustNotWait);
    }

    [Fact]
    public void Posts_FromManyThreads_AllArriveOnce_EachThreadsInItsOrder()
    {
        const int threadCount = 6;
        const ulong postCount = 20_000;
        using ThreadedFileIo fileIo = new(1, 16, "fb-test");
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, new ReactorLimits(64, 16, 16));
        PerThread perThread = new(threadCount);
        reactor.Start("fb-test-reactor");
        Thread[] threads = new Thread[threadCount];
        for (int t = 0; t < threadCount; t++)
        {
            ulong thread = (ulong)t;
            threads[t] = new Thread(() =>
            {
                for (ulong i = 0; i < postCount; i++)
                    while (!reactor.TryPost(perThread, thread << 32 | i))
                        Thread.Yield(); // the inbox is small on purpose
            });
            threads[t].Start();
        }
        foreach (Thread thread in threads)
            thread.Join();
        while (Volatile.Read(ref perThread.TotalCount) < threadCount * (long)postCount && reactor.Failure == null)
            Thread.Yield();
        Assert.Null(reactor.Failure);
        Assert.All(perThread.NextExpected, next => Assert.Equal(postCount, next));
    }

    [Fact]
    public void AStandingPost_FindsRoomInAFullInbox_AndRunsOnceForEachTimeThatItIsTaken()
    {
        using SimulatedLoop loop = new(1);
        Recorder others = new(loop.Clock);
        Recorder standing = new(loop.Clock);
        Recorder second = new(loop.Clock);
        StandingPost post = new(standing);
        StandingPost another = new(second);
        while (loop.Reactor.TryPost(others, 1)) { }
        loop.Reactor.Post(post);
        loop.Reactor.Post(another);
        loop.Reactor.Post(post);
        Assert.True(loop.Reactor.Turn(0));
        Assert.Equal((1, 1), (standing.Arguments.Count, second.Arguments.Count));
        loop.Reactor.Post(post);
        while (loop.Reactor.Turn(0)) { }
        Assert.Equal((2, 1), (standing.Arguments.Count, second.Arguments.Count));
    }

    [Fact]
    public void StandingPosts_FromManyThreads_LeaveNothingLying()
    {
        const int threadCount = 4;
        using ThreadedFileIo fileIo = new(1, 16, "fb-test");
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, new ReactorLimits(2, 16, 16));
        int published = 0;
        int taken = 0;
        Taker taker = new(() => taken += Interlocked.Exchange(ref published, 0));
        StandingPost post = new(taker);
        reactor.Start("fb-test-reactor");
        Thread[] threads = new Thread[threadCount];
        for (int t = 0; t < threadCount; t++)
        {
            threads[t] = new Thread(() =>
            {
                for (int i = 0; i < 20_000; i++)
                {
                    Interlocked.Increment(ref published);
                    reactor.Post(post);
                }
            });
            threads[t].Start();
        }
        foreach (Thread thread in threads)
            thread.Join();
        reactor.Invoke(() => { });
        int sum = 0;
        for (int i = 0; i < 2 && sum < threadCount * 20_000; i++)
            reactor.Invoke(() => sum = taken); // the second is behind whatever the first met
        Assert.Equal(threadCount * 20_000, sum);
    }

    sealed class Taker(Action take) : ILoopTask
    {
        public void Run(ulong argument) => take();
    }

    [Fact]
    public void APostToASleepingLoop_IsNeverLost()
    {
        // One post at a time, each waited for: a lost wake-up would hang here.
        using ThreadedFileIo fileIo = new(1, 16, "fb-test");
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        reactor.Start("fb-test-reactor");
        int count = 0;
        for (int i = 0; i < 5_000; i++)
            reactor.Invoke(() => count++);
        Assert.Equal(5_000, count);
    }

    [Fact]
    public void AnException_StopsTheReactor_AndTellsItsOwner_NotTheProcess()
    {
        using ThreadedFileIo fileIo = new(1, 16, "fb-test");
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        using ManualResetEventSlim stopped = new();
        reactor.OnStopped = _ => stopped.Set();
        reactor.Start("fb-test-reactor");
        Assert.True(reactor.TryPost(new Failing(), 0));
        Assert.True(stopped.Wait(10_000, TestContext.Current.CancellationToken));
        Assert.IsType<InvariantException>(reactor.Failure);
    }

    [Fact]
    public void Invoke_GivesTheExceptionToTheCaller_AndTheReactorLives()
    {
        using ThreadedFileIo fileIo = new(1, 16, "fb-test");
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        reactor.Start("fb-test-reactor");
        Assert.Throws<FormatException>(() => reactor.Invoke(() => throw new FormatException("on purpose")));
        int value = 0;
        reactor.Invoke(() => value = 7);
        Assert.Equal(7, value);
        Assert.Null(reactor.Failure);
    }

    [Fact]
    public void AFailedInvariantInsideInvoke_StopsTheReactor_AndThingsCanStillBeClosed()
    {
        using ThreadedFileIo fileIo = new(1, 16, "fb-test");
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        reactor.Start("fb-test-reactor");
        Assert.Throws<InvariantException>(() => reactor.Invoke(() => Check.Fail("on purpose")));
        Assert.IsType<InvariantException>(reactor.Failure);
        int value = 0;
        reactor.Invoke(() => value = 7);
        Assert.Equal(7, value);
    }

    [Fact]
    public void Invoke_WithAFullInbox_EndsWhenTheReactorHasFailed()
    {
        using ThreadedFileIo fileIo = new(1, 16, "fb-test");
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, new ReactorLimits(2, 16, 16));
        reactor.Start("fb-test-reactor");
        Assert.True(reactor.TryPost(new Failing(), 0));
        Counter counter = new();
        for (int i = 0; i < 100; i++)
            reactor.TryPost(counter, 0);
        int value = 0;
        reactor.Invoke(() => value = 7);
        Assert.Equal(7, value);
    }

    [Fact]
    public void ManyCancelledTimersBesideALongOne_NeverFillTheTable()
    {
        using SimulatedLoop loop = new(1);
        Recorder recorder = new(loop.Clock);
        loop.Reactor.StartTimer(loop.Clock.NowNs + 1_000_000, recorder, 1);
        for (int i = 0; i < 100_000; i++)
            loop.Reactor.CancelTimer(loop.Reactor.StartTimer(loop.Clock.NowNs + 2_000_000, recorder, 2));
        loop.RunUntil(() => recorder.Arguments.Count > 0);
        Assert.Equal([1ul], recorder.Arguments);
    }

    [Fact]
    public void TurnsAndTimers_AllocateNothing()
    {
        using ThreadedFileIo fileIo = new(1, 16, "fb-test");
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        Counter counter = new();
        ManyTurns();
        Assert.Equal(3_000, counter.Count);
        Assert.Equal(0, Allocations.LeastBytes(ManyTurns));

        void ManyTurns()
        {
            for (int i = 0; i < 1_000; i++)
            {
                reactor.StartTimer(0, counter, 0);
                reactor.Defer(counter, 0);
                reactor.TryPost(counter, 0);
                reactor.Turn(0);
            }
        }
    }

    sealed class Recorder(IClock clock) : ILoopTask
    {
        public List<ulong> Arguments { get; } = [];

        public List<ulong> TimesNs { get; } = [];

        public bool IsAscending
        {
            get
            {
                for (int i = 1; i < Arguments.Count; i++)
                    if (Arguments[i] <= Arguments[i - 1])
                        return false;
                return true;
            }
        }

        public void Run(ulong argument)
        {
            Arguments.Add(argument);
            TimesNs.Add(clock.NowNs);
        }
    }

    sealed class Counter : ILoopTask
    {
        public int Count { get; private set; }

        public void Run(ulong argument) => Count++;
    }

    sealed class Failing : ILoopTask
    {
        public void Run(ulong argument) => Check.Fail("on purpose");
    }

    sealed class PerThread(int threadCount) : ILoopTask
    {
        public long TotalCount;

        public ulong[] NextExpected { get; } = new ulong[threadCount];

        public void Run(ulong argument)
        {
            ulong thread = argument >> 32;
            Check.That(NextExpected[thread] == (uint)argument);
            NextExpected[thread]++;
            Interlocked.Increment(ref TotalCount);
        }
    }
}
