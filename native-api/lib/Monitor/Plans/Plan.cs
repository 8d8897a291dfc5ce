// One or more actions that happen together or not at all: in one quiesced moment of all disks concerned, checked as a
// whole just before. The command is answered then; a moment that does not come (a guest's write that does not end) is
// given up after TimeLimitMs, and nothing has happened.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Native.Disks;
using FastBackup.Native.Jobs;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's.</summary>
sealed class Plan(CommandCall call, List<PlanAction> actions, bool isGrouped)
{
    public const long TimeLimitMs = 30_000;

    readonly long _startMs = Environment.TickCount64;
    DiskObject[] _disks = [];
    bool _isOver;

    public MonitorObject Monitor => call.Monitor;

    public bool IsGrouped => isGrouped;

    public bool IsTooOld => Environment.TickCount64 - _startMs > TimeLimitMs;

    /// <summary>Refuses, or waits for the moment.</summary>
    public void Begin()
    {
        if (Check() is { } error)
        {
            End(error);
            return;
        }
        _disks = [.. actions.SelectMany(action => action.Disks).Distinct()];
        if (_disks.Length == 0)
        {
            End(CommandAnswer.Done);
            return;
        }
        foreach (DiskObject disk in _disks)
            disk.ChangeCount++;
        Disk.Quiesce(Monitor.Engine!.Reactor, Array.ConvertAll(_disks, disk => disk.Core), OnQuiesced);
    }

    /// <summary>It was not carried out, and will not be.</summary>
    public void GiveUp(string reason)
    {
        if (!_isOver)
            End(QmpError.Generic(reason));
    }

    QmpError? Check()
    {
        PlanState state = new();
        foreach (PlanAction action in actions)
            if (action.Check(this, state) is { } error)
                return error;
        return null;
    }

    void OnQuiesced()
    {
        foreach (DiskObject disk in _disks)
            disk.ChangeCount--;
        if (_isOver)
            return;
        if (Check() is { } error)
        {
            End(error);
            return;
        }
        foreach (PlanAction action in actions)
            action.Apply(this);
        StartJobs();
        End(CommandAnswer.Done);
    }

    void StartJobs()
    {
        Job[] jobs = [.. actions.OfType<BackupAction>().Select(action => action.Job!.Core)];
        if (isGrouped && jobs.Length > 0)
            new Transaction(Monitor.Engine!.Reactor, jobs).StartQuiesced();
        else
            foreach (Job job in jobs)
                new Transaction(Monitor.Engine!.Reactor, [job]).StartQuiesced();
    }

    void End(CommandAnswer answer)
    {
        _isOver = true;
        if (answer.Error != null)
            foreach (PlanAction action in actions)
                action.Abandon(this);
        Monitor.OnPlanEnded(this);
        call.Finish(answer);
    }
}
