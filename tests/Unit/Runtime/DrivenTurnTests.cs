// A reactor that its host drives: when it pokes, what one drive does, who is turned away, what becomes of a failure.
// Orders between threads are in tests/Schedules.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Ports;
using FastBackup.Runtime;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Runtime;

public sealed class DrivenTurnTests : IDisposable
{
    readonly SimulatedLoop _loop = new(1);
    readonly Host _host = new();

    public DrivenTurnTests()
    {
        Assert.False(_loop.Reactor.IsHostDriven);
        _loop.Reactor.BeDriven();
        _loop.Reactor.SetWaiter(_host);
    }

    Reactor Reactor => _loop.Reactor;

    public void Dispose() => _loop.Dispose();

    [Fact]
    public void OfSeveralPosts_TheFirstPokes_AndOneDriveRunsThemAll()
    {
        Assert.True(Reactor.IsHostDriven);
        Story story = new();
        for (ulong i = 0; i < 3; i++)
            Assert.True(Reactor.TryPost(story, i));
        Assert.Equal(1, _host.PokeCount);
        Reactor.TryDrive(4);
        Assert.Equal([0ul, 1ul, 2ul], story.Arguments);
        Assert.Equal(1, _host.PokeCount); // nothing is left
        Assert.True(Reactor.TryPost(story, 3));
        Assert.Equal(2, _host.PokeCount);
    }

    [Fact]
    public void WhoLeavesIdle_SleepsUntilTheNextTimer_AndRunsItThen()
    {
        Story story = new();
        ulong deadlineNs = _loop.Clock.NowNs + 1000;
        Reactor.StartTimer(deadlineNs, story, 7);
        Reactor.TryDrive(4);
        Assert.Equal([deadlineNs], _host.DeadlinesNs);
        _loop.Clock.AdvanceTo(deadlineNs);
        Reactor.TryDrive(4);
        Assert.Equal([7ul], story.Arguments);
        Assert.Equal([deadlineNs, ulong.MaxValue], _host.DeadlinesNs);
        Assert.Equal(0, _host.PokeCount);
    }

    [Fact]
    public void ADrive_MakesNoMoreTurnsThanItMay_AndIsPokedForTheRest()
    {
        Story story = new();
        story.OnRun = _ => Reactor.Defer(story, 0);
        Reactor.Defer(story, 0);
        Reactor.TryDrive(3);
        Assert.Equal(3, story.Arguments.Count);
        Assert.Equal(1, _host.PokeCount);
        Assert.Empty(_host.DeadlinesNs);
    }

    [Fact]
    public void WhatAPostIsFollowedBy_IsDoneInTheSameDrive()
    {
        Story story = new();
        story.OnRun = argument =>
        {
            if (argument == 1)
                Reactor.Defer(story, 2);
        };
        Assert.True(Reactor.TryPost(story, 1));
        Reactor.TryDrive(8);
        Assert.Equal([1ul, 2ul], story.Arguments);
        Assert.Single(_host.DeadlinesNs); // and idle after it
    }

    [Fact]
    public void WhatIsPostedWhileTheDriverLeaves_PokesAfterIt()
    {
        Story story = new();
        _host.OnSleep = () =>
        {
            _host.OnSleep = null;
            Assert.True(Reactor.TryPost(story, 1));
            _host.PokeCount = 0; // another thread was woken, found the lock held and went away
        };
        Reactor.TryDrive(4);
        Assert.Equal(1, _host.PokeCount);
        Reactor.TryDrive(4);
        Assert.Equal([1ul], story.Arguments);
    }

    [Fact]
    public void ADriveInsideOne_AndOneBesideIt_DoNothing()
    {
        Story story = new();
        story.OnRun = argument =>
        {
            if (argument > 0)
                return;
            Reactor.Defer(story, 1);
            Assert.True(Reactor.IsOnThread);
            Assert.True(Reactor.MustNotWait);
            Reactor.TryDrive(4);
            Thread other = new(() =>
            {
                Reactor.TryDrive(4);
                Reactor.Defer(story, Reactor.IsOnThread || Reactor.MustNotWait ? 9ul : 2ul);
            });
            other.Start();
            other.Join();
            Assert.Equal([0ul], story.Arguments);
        };
        Assert.True(Reactor.TryPost(story, 0));
        Reactor.TryDrive(1);
        Reactor.TryDrive(4);
        Assert.Null(Reactor.Failure);
        Assert.Equal([0ul, 1ul, 2ul], story.Arguments);
        Assert.False(Reactor.IsOnThread);
        Assert.False(Reactor.MustNotWait);
    }

    [Fact]
    public void AnExceptionInATurn_StopsTheReactor_AndWhatIsPostedLater_IsGivenBack()
    {
        Story story = new();
        Exception? told = null;
        Reactor.OnStopped = exception => told = exception;
        Assert.True(Reactor.TryPost(new Failing(), 0));
        Reactor.TryDrive(4);
        Assert.IsType<InvariantException>(Reactor.Failure);
        Assert.Same(Reactor.Failure, told);
        StandingPost standing = new(story);
        Assert.True(Reactor.TryPost(story, 1));
        Reactor.Post(standing);
        Reactor.TryDrive(4);
        Assert.Empty(story.Arguments);
        Assert.Equal([0ul, 1ul], [.. story.Abandoned.Order()]);
        _host.PokeCount = 0;
        Reactor.TryDrive(4);
        Assert.Equal(0, _host.PokeCount); // idle, for ever
    }

    [Fact]
    public void AfterAFailureAnotherTurnIsAsked_WhichGivesBackWhatWasPostedBefore()
    {
        Story story = new();
        Assert.True(Reactor.TryPost(new Failing(), 0));
        Assert.True(Reactor.TryPost(story, 1));
        Reactor.TryDrive(2);
        Assert.Equal([1ul], story.Abandoned);
    }

    [Fact]
    public void AColdCall_ActsAtOnce_WithWhatItPutsOffToItsEnd_AndPokesForTheRest()
    {
        Story story = new();
        bool wasOnThread = false;
        Reactor.Invoke(() =>
        {
            wasOnThread = Reactor.IsOnThread;
            Reactor.AtTurnEnd(story, 1);
            Reactor.Defer(story, 2);
        });
        Assert.True(wasOnThread);
        Assert.Equal([1ul], story.Arguments);
        Assert.Equal(1, _host.PokeCount);
        Reactor.TryDrive(4);
        Assert.Equal([1ul, 2ul], story.Arguments);
    }

    [Fact]
    public void AColdCallThatFails_TellsItsCaller_AndTheReactorLives()
    {
        Assert.Throws<TimeoutException>(() => Reactor.Invoke(() => throw new TimeoutException()));
        Assert.Null(Reactor.Failure);
        Assert.Equal(1, _host.PokeCount);
    }

    [Fact]
    public void ACallInTurn_WaitsUntilTheHostDrives()
    {
        bool isDone = false;
        Exception? thrown = null;
        Thread caller = new(() =>
        {
            Reactor.InvokeInTurn(() => isDone = true);
            thrown = Record.Exception(() => Reactor.InvokeInTurn(() => throw new TimeoutException()));
        });
        caller.Start();
        Assert.False(isDone);
        while (caller.IsAlive)
            Reactor.TryDrive(1);
        caller.Join();
        Assert.True(isDone);
        Assert.IsType<TimeoutException>(thrown);
    }

    sealed class Host : IHostWaiter
    {
        public int PokeCount { get; set; }

        public List<ulong> DeadlinesNs { get; } = [];

        public Action? OnSleep { get; set; }

        public void Poke() => PokeCount++;

        public void SleepUntil(ulong deadlineNs)
        {
            DeadlinesNs.Add(deadlineNs);
            OnSleep?.Invoke();
        }
    }

    sealed class Story : ILoopTask
    {
        public List<ulong> Arguments { get; } = [];

        public List<ulong> Abandoned { get; } = [];

        public Action<ulong>? OnRun { get; set; }

        public void Run(ulong argument)
        {
            Arguments.Add(argument);
            OnRun?.Invoke(argument);
        }

        public void Abandon(ulong argument) => Abandoned.Add(argument);
    }

    sealed class Failing : ILoopTask
    {
        public void Run(ulong argument) => Check.Fail("on purpose");
    }
}
