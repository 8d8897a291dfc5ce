// block-dirty-bitmap-remove. A bitmap that a host made stays open as one of its own. Of a persistent one the tracker's
// point is deleted behind the moment, and the command is answered when that is durable.
using System;
using FastBackup.Base;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Monitor.Plans;

sealed class RemoveBitmapAction(string node, string name) : BitmapAction(node, name)
{
    bool _isClosed;
    DiskPoints? _points; // in hand
    QmpError? _settleError;

    public override string Type => "block-dirty-bitmap-remove";

    public override QmpError? Check(PlanContext plan, PlanState state)
    {
        QmpError? error = base.Check(plan, state) ?? TakePoints();
        if (error == null)
            state.Set(Disk, Name, null);
        return error;
    }

    /// <summary>Of one that a tracker keeps, and that has not failed.</summary>
    QmpError? TakePoints()
    {
        if (_points != null || !Bitmap.IsPersistent || Disk.Tracker is not { IsOver: false })
            return null;
        Answer answer = PointsInHand.TryTake(Disk, out _points);
        return answer.IsOk ? null : QmpError.Of(answer);
    }

    public override bool BeginSettling(PlanContext plan, Action onSettled)
    {
        if (_points is not { } points)
            return false;
        _points = null;
        void OnEnd(Fault fault)
        {
            if (fault.IsFault)
                _settleError = QmpError.Generic($"bitmap '{Name}' is gone, and its tracker is inconsistent: {fault}");
            onSettled();
        }
        void Delete()
        {
            if (PointsInHand.TryBeginDelete(Disk, points, Name, OnEnd, out Answer answer))
                return;
            _settleError = QmpError.Of(answer.IsOk ? Answer.State("the tracker is inconsistent") : answer);
            _ = plan.Turns.RunUnlessStopped(() =>
            {
                onSettled();
                return Answer.Ok;
            });
        }
        if (plan.Patience.TryRun("fb-point", Delete))
            return true;
        PointsInHand.GiveBack(Disk, points);
        _settleError = QmpError.Generic(
            $"bitmap '{Name}' is there again after a restart: there is no thread to forget it"
        );
        return false;
    }

    public override QmpError? SettleError => _settleError;

    public override void Abandon(PlanContext plan)
    {
        if (_points != null)
            PointsInHand.GiveBack(Disk, _points);
        _points = null;
    }

    public override void Apply(PlanContext plan)
    {
        Disk.Core.Remove(Bitmap.Dirty!);
        Disk.Bitmaps.Remove(Name);
        Bitmap.Detach();
        Bitmap.IsPersistent = Bitmap.IsInImage = false;
        _isClosed = Bitmap.TryCloseUnlessOfHost();
    }

    /// <summary>Memory goes on the monitor's thread: guests wait for none of it.</summary>
    public override bool Release(bool wasDone, bool isLeft)
    {
        if (!_isClosed)
            return false;
        if (Bitmap.IsShared || !isLeft)
            return Retirement.Weigh(Bitmap.Bits.BitCount);
        Bitmap.Dirty!.Dispose();
        return false;
    }
}
