// One run of a scenario: its actors take steps one after the other, and before each step that others can notice the
// run decides who takes the next one.
//
//   an actor that could go on is made to wait for another     costs one of the run's preemptions
//   an actor waits, gives way or has ended                    any other may go, at no cost
//   a volatile store stays in its thread's buffer             costs one of the run's delays, and all that follow it
//                                                             wait behind it; it comes out before any step of another
//                                                             thread, or at its own thread's next fence
//
// So all runs with so many preemptions and delays are a finite tree, which Choices walks. What has no ready actor left
// hangs: a wake-up was lost. Plain accesses are not steps: data races in them are not looked for.
using System;
using System.Collections.Generic;

namespace FastBackup.Tests.Schedules.Machine;

/// <param name="Preemptions">At most.</param>
/// <param name="Delays">Stores that stay in their buffers, at most, without those behind them.</param>
readonly record struct Bounds(int Preemptions, int Delays);

enum Fences
{
    None,
    OfOneThread,
    OfAllThreads,
}

#pragma warning disable CA1001 // what it would dispose of costs nothing until somebody waits on its handle
sealed class Run(Choices choices, Bounds bounds, Actor[] actors)
#pragma warning restore CA1001
{
    const int StepsMax = 20_000;
    const int ReadyPollsMax = 2;

    [ThreadStatic]
    static Run? t_run;

    [ThreadStatic]
    static Actor? t_self;

    readonly System.Threading.ManualResetEventSlim _isOver = new();
    readonly List<(Actor Actor, bool IsStore)> _ways = [];
    int _preemptionsLeft = bounds.Preemptions;
    int _delaysLeft = bounds.Delays;
    int _stepCount;
    bool _isAborting;

    /// <summary>The run of the calling thread; null outside, where steps are plain.</summary>
    public static Run? Current => t_run;

    public static Actor Self => t_self!;

    /// <summary>Fences that do nothing: what would happen without them.</summary>
    public static Fences Missing { get; set; }

    /// <summary>What went wrong, or null.</summary>
    public string? Wrong { get; private set; }

    public int StepCount => _stepCount;

    public static void Enter(Run run, Actor self) => (t_run, t_self) = (run, self);

    public static void Leave() => (t_run, t_self) = (null, null);

    /// <summary>From the first step to the last. On the thread of the explorer.</summary>
    public void Play()
    {
        Decide(null, mayStay: false);
        _isOver.Wait();
        foreach (Actor actor in actors)
            if (Wrong == null && actor.Failure != null)
                Wrong = actor.Failure.ToString();
    }

    /// <summary>Before a step that others can notice.</summary>
    public static void Step()
    {
        if (t_run == null)
            return;
        t_run.ThrowIfOver();
        t_run.Decide(t_self, mayStay: true);
    }

    /// <summary>Lets others go until it is so.</summary>
    /// <returns>False when the time was over first.</returns>
    public static bool Await(Func<bool> wanted, bool isTimed = false)
    {
        Step();
        Fence(); // whoever sleeps for long has nothing left in its buffer
        if (wanted())
            return true;
        (t_self!.Wanted, t_self.IsTimed) = (wanted, isTimed);
        t_run!.Decide(t_self, mayStay: false);
        (t_self.Wanted, t_self.IsTimed) = (null, false);
        t_run.ThrowIfOver();
        return wanted();
    }

    /// <summary>Lets somebody else go first, if anybody can.</summary>
    public static void GiveWay()
    {
        Step();
        t_self!.HasGivenWay = true;
        t_run!.Decide(t_self, mayStay: false);
        t_run.ThrowIfOver();
    }

    /// <summary>A poll that found something; one that does so again and again lets others go in between.</summary>
    public static void CountReadyPoll()
    {
        if (++t_self!.ReadyPollCount > ReadyPollsMax)
            GiveWay();
    }

    /// <summary>Whether a volatile store stays in the buffer.</summary>
    public static bool IsDelayed()
    {
        if (t_self!.Stores.Count > 0)
            return true; // they come out in their order
        if (t_run!._delaysLeft == 0 || t_run._isAborting || t_run.Ask(2) == 0)
            return false;
        t_run._delaysLeft--;
        return true;
    }

    /// <summary>All stores of the calling thread are seen.</summary>
    public static void Fence() => t_self?.Stores.Clear();

    /// <summary>All stores of all threads are seen.</summary>
    public static void FenceAll()
    {
        Fence();
        foreach (Actor actor in t_run?.AllActors ?? [])
            while (actor.Stores.Count > 0)
                CommitOldest(actor);
    }

    Actor[] AllActors => actors;

    /// <summary>An actor has ended. On its thread, which is nobody's any more.</summary>
    public void OnDone(Actor self)
    {
        if (_isAborting || self.Failure != null)
            Abort();
        else
            Decide(self, mayStay: false);
    }

    void ThrowIfOver()
    {
        if (_isAborting)
            throw new RunIsOver();
        if (++_stepCount > StepsMax)
        {
            Wrong = "no end after " + StepsMax + " steps";
            _isAborting = true;
            throw new RunIsOver();
        }
    }

    int Ask(int count) => choices.Next(count);

    void Decide(Actor? self, bool mayStay)
    {
        while (true)
        {
            CollectWays(self, mayStay);
            if (_ways.Count == 0 && self is { IsDone: true, Stores.Count: > 0 })
            {
                self.Stores.Clear(); // they are in memory already
                continue;
            }
            if (_ways.Count == 0)
            {
                OnNobodyCanGo(self);
                return;
            }
            (Actor actor, bool isStore) = _ways[Ask(_ways.Count)];
            if (isStore)
            {
                CommitOldest(actor);
                continue;
            }
            if (!ReferenceEquals(actor, self))
            {
                if (mayStay)
                    _preemptionsLeft--;
                HandOver(self, actor);
            }
            return;
        }
    }

    void CollectWays(Actor? self, bool mayStay)
    {
        _ways.Clear();
        if (mayStay)
            _ways.Add((self!, false));
        if (!mayStay || _preemptionsLeft > 0)
            AddOthers(self, alsoThoseWhoGaveWay: mayStay);
        if (_ways.Count == 0) // two that give way to each other must not keep the third from what they wait for
        {
            foreach (Actor actor in actors)
                actor.HasGivenWay = false;
            AddOthers(self, alsoThoseWhoGaveWay: true);
        }
        if (_ways.Count == 0 && self is { CanGo: true })
            _ways.Add((self, false)); // it gave way to nobody
        foreach (Actor actor in actors)
            if (!ReferenceEquals(actor, self) && actor.Stores.Count > 0)
                _ways.Add((actor, true));
    }

    void AddOthers(Actor? self, bool alsoThoseWhoGaveWay)
    {
        foreach (Actor actor in actors)
            if (!ReferenceEquals(actor, self) && actor.CanGo && (alsoThoseWhoGaveWay || !actor.HasGivenWay))
                _ways.Add((actor, false));
    }

    /// <summary>The oldest store of a thread that does not run reaches memory.</summary>
    static void CommitOldest(Actor actor)
    {
        actor.Stores[0].Swap();
        actor.Stores.RemoveAt(0);
    }

    static void HandOver(Actor? self, Actor next)
    {
        self?.Hide();
        next.ReadyPollCount = 0;
        bool mustWait = self is { IsDone: false }; // one that has ended may be in the next run a moment later
        next.Go();
        if (mustWait)
            self!.AwaitTurn();
    }

    void OnNobodyCanGo(Actor? self)
    {
        foreach (Actor actor in actors)
            if (!actor.IsDone && actor.IsTimed)
            {
                (actor.Wanted, actor.IsTimed) = (null, false); // its time is over
                if (!ReferenceEquals(actor, self))
                    HandOver(self, actor);
                return;
            }
        foreach (Actor actor in actors)
            if (!actor.IsDone)
                Wrong = (Wrong == null ? "nobody can go on; for ever waits actor " : Wrong + ", ") + actor.Index;
        if (Wrong == null)
        {
            _isOver.Set();
            return;
        }
        _isAborting = true;
        if (self is null or { IsDone: true })
            Abort();
    }

    /// <summary>Lets those who still wait unwind, one after the other.</summary>
    void Abort()
    {
        _isAborting = true;
        foreach (Actor actor in actors)
            if (!actor.IsDone)
            {
                actor.Go();
                return;
            }
        _isOver.Set();
    }
}
