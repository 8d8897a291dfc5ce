// x-checkpoint-list, x-checkpoint-delete: of a disk with a tracker. Both may wait for storage or memory, so they are on
// threads of their own, and are answered later. x-checkpoint-add is an action, as it has an instant.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Monitor.Nodes;
using FastBackup.Native.Objects;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the monitor's.</summary>
sealed class CheckpointCommands(MonitorTurns turns, NodeTable nodes, PatientFiles files)
{
    public CommandAnswer List(CommandCall call)
    {
        string node = call.Arguments.Text("node");
        return call.Arguments.End() is { } error
            ? error
            : Later(call, node, (disk, points) => List(call, disk, points));
    }

    public CommandAnswer Delete(CommandCall call)
    {
        string node = call.Arguments.Text("node");
        string name = call.Arguments.Text("name");
        return call.Arguments.End() is { } error
            ? error
            : Later(call, node, (disk, points) => Delete(call, disk, points, name));
    }

    CommandAnswer Later(CommandCall call, string node, Action<DiskObject, DiskPoints> work)
    {
        DiskObject? disk = null;
        DiskPoints? points = null;
        CommandAnswer answer = turns.OnReactor(() =>
        {
            if (nodes.FindSource(node, out disk) is { } missing)
                return missing;
            Answer taken = PointsInHand.TryTake(disk!, out points);
            return taken.IsOk ? CommandAnswer.Later : QmpError.Of(taken);
        });
        if (points == null)
            return answer;
        if (files.Patience.TryRun("fb-point", () => work(disk!, points)))
            return CommandAnswer.Later;
        PointsInHand.GiveBackInTurn(disk!, points);
        return QmpError.Generic($"{PatientFiles.HangingMax} files or devices do not answer");
    }

    static void List(CommandCall call, DiskObject disk, DiskPoints points)
    {
        List<JsonValue> entries = [];
        foreach ((TrackedPoint point, ulong changedBytes) in points.CountSinceNamed())
            entries.Add(
                JsonValue.Object(
                    ("name", JsonValue.Of(point.Name)),
                    ("created-ns", JsonValue.Of(point.CreatedNs)),
                    ("changed-bytes", JsonValue.Of(changedBytes))
                )
            );
        PointsInHand.GiveBackInTurn(disk, points);
        call.Finish(JsonValue.Of(entries));
    }

    static void Delete(CommandCall call, DiskObject disk, DiskPoints points, string name)
    {
        void OnEnd(Fault fault) =>
            call.Finish(
                fault.IsNone
                    ? CommandAnswer.Done
                    : QmpError.Generic($"checkpoint '{name}' was not deleted, its tracker is inconsistent: {fault}")
            );
        if (points.IsBitmap(name))
        {
            PointsInHand.GiveBackInTurn(disk, points);
            call.Finish(QmpError.Generic(PersistentBitmaps.Rule(name)));
            return;
        }
        if (!PointsInHand.TryBeginDelete(disk, points, name, OnEnd, out Answer answer))
            call.Finish(QmpError.Of(answer.IsOk ? Answer.State("the tracker is inconsistent") : answer));
    }
}
