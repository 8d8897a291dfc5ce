// One or more actions that happen together or not at all: in one quiesced moment of all disks concerned, checked as a
// whole just before. The command is answered then; a moment that does not come (a guest's write that does not end) is
// given up after TimeLimitMs, and nothing has happened.
//
// Guests wait for little of its length: memory is taken and given back on the monitor's thread, checks and what takes
// time come in parts between turns of the reactor, with the gates open. What is left, of 2,500 actions on a machine
// with nothing else to do: the moment itself, 0.1 to 0.3 ms, and 1 ms when bitmaps are added (400 ns each); the
// collections of what the command has made, 0.2 to 0.7 ms each (ShortPauses); and the first write to 2,500 new or
// cleared bitmaps, whose bits are in no cache: another millisecond. A large disk has a page of bits for each 2 GiB (at
// 64 KiB): the first write to such a part takes one for every bitmap, 1 us each.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's, but for Begin.</summary>
sealed class Plan(
    CommandCall call,
    PlanContext context,
    WaitingPlans waiting,
    MonitorInbox inbox,
    List<PlanAction> actions
) : IQuietWork, IWaitingPlan
{
    /// <summary>Of one command: what fits into a moment of two milliseconds.</summary>
    public const int ActionsMax = 4096;

    public const long TimeLimitMs = 30_000;
    const int PartMax = 256; // actions in one turn: 0.1 to 0.3 ms
    const int TidyPartsMax = 8;
    const int ReleasedAtOnce = 32; // bitmaps: some 0.3 ms

    readonly long _startMs = Environment.TickCount64;
    DiskObject[] _disks = [];
    QuiescedChange? _moment;
    PlanState? _state; // while a check is under way
    PlanContents? _contents; // once its turn has come and all was checked
    int _next; // action to be looked at
    bool _isRight; // checked when its turn had come
    WarmUp? _warmUp;
    bool _isWarming;
    bool _isOver;
    int _settlingCount; // of actions, after the moment; and one for the plan itself

    public bool IsTooOld => !_isOver && Environment.TickCount64 - _startMs > TimeLimitMs;

    /// <summary>The call is answered, now or later. On the monitor's thread.</summary>
    public void Begin()
    {
        if (!actions.Exists(action => action.IsPatient))
            BeginPrepared();
        else if (!context.Patience.TryRun("fb-plan", Prepare))
            _ = InTurn(() => GiveUp("too many files or devices do not answer"));
    }

    /// <summary>On a thread of its own, which may wait.</summary>
    void Prepare()
    {
        QmpError? error = null;
        foreach (PlanAction action in actions)
            error ??= action.IsPatient ? action.Prepare(context) : null;
        error ??= context.PreparePoints();
        Answer answer = InTurn(() =>
        {
            if (error != null || waiting.IsOver)
                Refuse(error ?? QmpError.Generic("the monitor was closed"));
            else
                waiting.Add(this); // whoever closes the monitor gives it up
        });
        if (!answer.IsOk)
            AbandonAlone();
        else if (!_isOver)
            inbox.Post(BeginPrepared);
    }

    /// <summary>The monitor is gone: what actions have in hand goes back all the same.</summary>
    void AbandonAlone()
    {
        foreach (PlanAction action in actions)
            if (action.Subject is { } disk)
                _ = disk.Engine!.Run(
                    disk,
                    () =>
                    {
                        action.Abandon(context);
                        return Answer.Ok;
                    }
                );
    }

    Answer InTurn(Action work) =>
        context.Turns.Run(() =>
        {
            work();
            return Answer.Ok;
        });

    void BeginPrepared()
    {
        Answer answer = TryBegin();
        if (!answer.IsOk)
            GiveUp(answer.Text ?? "the engine is closed");
    }

    /// <summary>Refuses, or waits for the moment.</summary>
    /// <returns>Not Ok when the engine cannot be asked: then the call is not answered.</returns>
    Answer TryBegin()
    {
        Answer answer = InParts(FindSome);
        foreach (PlanAction action in actions)
        {
            action.TakeMemory();
            ShortPauses.Step();
        }
        QmpError? error = null;
        if (answer.IsOk)
            answer = InParts(() => CheckSome(out error));
        return answer.IsOk ? context.Turns.RunUnlessStopped(() => Start(error)) : answer;
    }

    /// <summary>One part a turn of the reactor, until there is none left.</summary>
    Answer InParts(Func<bool> doSome)
    {
        Answer answer;
        bool isDone = false;
        do
        {
            answer = context.Turns.RunUnlessStopped(() =>
            {
                isDone = doSome();
                return Answer.Ok;
            });
            ShortPauses.Step();
        } while (answer.IsOk && !isDone);
        return answer;
    }

    bool FindSome()
    {
        int end = Math.Min(actions.Count, _next + PartMax);
        while (_next < end)
            actions[_next++].Find(context);
        return IsAtEnd();
    }

    /// <summary>Goes on with a check of the whole, or begins one.</summary>
    /// <returns>True when all was checked, or something is wrong.</returns>
    bool CheckSome(out QmpError? error)
    {
        error = null;
        _state ??= new PlanState();
        int end = Math.Min(actions.Count, _next + PartMax);
        while (_next < end && error == null)
            error = actions[_next++].Check(context, _state);
        if (error != null)
            _next = actions.Count;
        if (!IsAtEnd())
            return false;
        _contents = _state.Contents;
        _state = null;
        return true;
    }

    /// <summary>The end of a walk over the actions: the next one starts at the first.</summary>
    bool IsAtEnd()
    {
        if (_next < actions.Count)
            return false;
        _next = 0;
        return true;
    }

    Answer Start(QmpError? error)
    {
        _disks = [.. context.Disks];
        if (error != null || _disks.Length == 0)
        {
            End(error != null ? error : CommandAnswer.Done);
            return Answer.Ok;
        }
        if (!actions.Exists(action => action.IsPatient))
            waiting.Add(this); // else it is there since it was prepared
        foreach (DiskObject disk in _disks)
            disk.ChangeCount++;
        _moment = new QuiescedChange(context.Turns.Engine.Reactor, Array.ConvertAll(_disks, disk => disk.Core), this);
        _moment.Begin();
        return Answer.Ok;
    }

    /// <summary>It was not carried out, and will not be: what came after it waits for it no longer.</summary>
    public void GiveUp(string reason) => Refuse(QmpError.Generic(reason));

    void Refuse(QmpError error)
    {
        if (_isOver)
        {
            if (_settlingCount > 0) // and nobody will tell how it ends
                Conclude(error, wasDone: true);
            return;
        }
        bool mayWithdraw = _contents is not { IsAttached: true }; // else its turn ends in a moment
        if (mayWithdraw && _moment is { IsPending: true } && !context.Turns.Engine.Reactor.HasFailed)
        {
            _moment.Withdraw();
            LeaveDisks();
        }
        End(error);
    }

    bool IQuietWork.Prepare()
    {
        if (_contents is { IsAttached: true } contents)
            return _isOver || contents.Fold();
        if (!_isRight)
        {
            if (!CheckSome(out QmpError? error))
                return false;
            if (error != null)
            {
                Refuse(error);
                return false;
            }
            _isRight = true;
        }
        for (int parts = 0, looks = 0; _next < actions.Count; looks++)
        {
            if (parts == TidyPartsMax || looks == PartMax)
                return false;
            if (actions[_next].MakeReady())
                _next++;
            else
                parts++;
        }
        return _contents!.MakeReady() && IsWarm();
    }

    /// <summary>Last of all: guests' writes are looked at until the moment.</summary>
    bool IsWarm()
    {
        _warmUp ??= new WarmUp(context.Turns.Engine.Reactor, JobsToStart());
        _isWarming = !_warmUp.IsOver();
        return !_isWarming;
    }

    ulong IQuietWork.RestNs => _isWarming ? _warmUp!.RestNs : 0;

    bool IQuietWork.Change()
    {
        QmpError? error = _isOver ? null : WhatIsWrongNow();
        if (error == null && !_isOver && _contents is { HasDrafts: true, IsAttached: false })
        {
            _contents.Attach();
            return false;
        }
        LeaveDisks();
        if (error != null || _isOver)
        {
            if (_contents is { IsAttached: true })
                _contents.Drop();
            if (error != null)
                End(error);
            return true;
        }
        _contents!.Take();
        foreach (PlanAction action in actions)
            action.Apply(context);
        StartJobs();
        End(CommandAnswer.Done);
        return true;
    }

    QmpError? WhatIsWrongNow()
    {
        foreach (PlanAction action in actions)
            if (action.WhatIsWrongNow() is { } error)
                return error;
        return null;
    }

    void LeaveDisks()
    {
        foreach (DiskObject disk in _disks)
            disk.ChangeCount--;
    }

    Job[] JobsToStart() => [.. actions.OfType<BackupAction>().Select(action => action.Job!.Core)];

    void StartJobs()
    {
        Job[] jobs = JobsToStart();
        if (context.IsGrouped && jobs.Length > 0)
            new Transaction(context.Turns.Engine.Reactor, jobs).StartQuiesced();
        else
            foreach (Job job in jobs)
                new Transaction(context.Turns.Engine.Reactor, [job]).StartQuiesced();
    }

    void End(CommandAnswer answer)
    {
        _isOver = true;
        bool wasDone = answer.Error == null;
        if (wasDone && _disks.Length > 0)
        {
            _settlingCount = 1;
            foreach (PlanAction action in actions)
                _settlingCount += action.BeginSettling(context, EndOne) ? 1 : 0;
            EndOne();
            return;
        }
        foreach (PlanAction action in actions)
            if (!wasDone)
                action.Abandon(context);
        Conclude(answer, wasDone);
    }

    /// <summary>The moment, or what ends after it.</summary>
    void EndOne()
    {
        if (_settlingCount <= 0 || --_settlingCount > 0)
            return;
        QmpError? error = actions.Find(action => action.SettleError != null)?.SettleError;
        Conclude(error != null ? error : CommandAnswer.Done, wasDone: true);
    }

    void Conclude(CommandAnswer answer, bool wasDone)
    {
        _settlingCount = 0;
        waiting.Remove(this);
        inbox.Post(() =>
        {
            call.Answer(answer);
            Release(wasDone);
        });
    }

    /// <summary>Thousands of bitmaps are tens of milliseconds of a processor: guests have a turn in between.</summary>
#pragma warning disable RS0030 // nothing tells that others have had theirs
    static void Rest() => Thread.Sleep(1);
#pragma warning restore RS0030

    /// <summary>A turn from now on is behind the moment.</summary>
    void Release(bool wasDone)
    {
        bool hasTaken = wasDone && actions.Exists(action => action is RemoveBitmapAction);
        bool isLeft = hasTaken && context.Turns.RunUnlessStopped(() => Answer.Ok).IsOk;
        bool isMemoryLeft = false;
        for (int i = 0; i < actions.Count; i++)
        {
            isMemoryLeft |= actions[i].Release(wasDone, isLeft);
            if (isLeft && i % ReleasedAtOnce == ReleasedAtOnce - 1)
                Rest();
        }
        ShortPauses.Step();
        if (isMemoryLeft)
            Retirement.Collect();
    }
}
