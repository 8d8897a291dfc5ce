// blockdev-create: makes a file, or an empty image in the file of a node, as a job. It is done on a thread of its own,
// because a file system may not answer; the node is nobody else's meanwhile. Unlike QEMU a file that is there is not
// cut: it is refused, and an image comes into a file that has nothing.
// Source of order and words of the refusals: QEMU 7.2 block/create.c, job.c.
using System;
using System.Collections.Generic;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Jobs;
using FastBackup.Native.Monitor.Nodes;
using FastBackup.Repositories;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the monitor's, but what says otherwise.</summary>
sealed class CreateCommand(
    MonitorTurns turns,
    NodeTable nodes,
    PatientFiles files,
    MonitorInbox inbox,
    CreationJobs jobs
)
{
    static readonly TimeSpan s_endLimit = TimeSpan.FromSeconds(5);

    readonly List<MonitorNode> _taken = [];
    readonly object _idle = new(); // pulsed when nothing is under way
    int _running;

    public CommandAnswer Run(CommandCall call)
    {
        CreateArguments arguments = CreateArguments.Read(call.Arguments);
        if (call.Arguments.End() is { } error)
            return error;
        if (arguments.Wrong is { } sentence)
            return QmpError.Generic(sentence);
        if (CheckId(arguments.JobId) is { } wrong)
            return wrong;
        BlankImage? image = null;
        List<MonitorNode> used = [];
        if (arguments.Image is { } wanted && Plan(arguments, wanted, used, out image) is { } refusal)
            return refusal;
        foreach (MonitorNode node in used)
            if (Take(node) is { } busy)
            {
                used.ForEach(Leave);
                return busy;
            }
        string? problem = null;
        CreationJob? job = null;
        Count(1);
        bool isStarted = files.Patience.TryRun(
            "fb-create",
            () =>
            {
                problem = image == null ? MakeFile(arguments) : MakeImage(image, arguments.Image!, used);
                inbox.Post(() =>
                {
                    used.ForEach(Leave);
                    job!.End(problem);
                });
                Count(-1);
            }
        );
        if (isStarted)
        {
            job = jobs.Add(arguments.JobId); // before its end, which this thread is told
            return CommandAnswer.Done;
        }
        Count(-1);
        used.ForEach(Leave);
        return QmpError.Generic(
            $"{PatientFiles.HangingMax} files or devices do not answer: no more are made before one of them does"
        );
    }

    /// <summary>The monitor has ended: nodes are free when what is under way is over, or hangs.</summary>
    public void GiveUp()
    {
        lock (_idle)
            if (_running > 0)
                _ = System.Threading.Monitor.Wait(_idle, s_endLimit);
        foreach (MonitorNode node in _taken.ToArray())
            Leave(node);
    }

    /// <summary>Threads: any.</summary>
    void Count(int change)
    {
        lock (_idle)
        {
            _running += change;
            if (_running == 0)
                System.Threading.Monitor.PulseAll(_idle);
        }
    }

    QmpError? CheckId(string id)
    {
        if (!QmpName.IsWellFormed(id))
            return QmpError.Generic($"Invalid job ID '{id}'");
        if (jobs.IsFull)
            return QmpError.Generic($"{CreationJobs.Max} jobs wait to be dismissed, which is the most");
        return jobs.Has(id)
            ? QmpError.Generic($"Job ID '{id}' already in use")
            : turns
                .OnReactor(() =>
                    turns.Engine.Jobs.Find(id) == null
                        ? CommandAnswer.Done
                        : QmpError.Generic($"Job ID '{id}' already in use")
                )
                .Error;
    }

    QmpError? Plan(CreateArguments arguments, BlankImageOptions wanted, List<MonitorNode> used, out BlankImage? image)
    {
        image = null;
        foreach (string? name in (string?[])[arguments.FileNode, arguments.DataNode])
        {
            if (name == null)
                continue;
            if (nodes.Find(name) is not { } node)
                return QmpError.Generic($"Cannot find device='' nor node-name='{name}'");
            if (node.Device.Device is not FileDevice { Limits.IsReadOnly: false } || used.Contains(node))
                return QmpError.Generic($"Node '{name}' is no file of its own that is written to");
            used.Add(node);
        }
        if (used[0].Device.Device.Limits.CapacityBytes > 0)
            return QmpError.Generic(
                $"'{used[0].FileName}' has {used[0].Device.Device.Limits.CapacityBytes} bytes: an image comes into a "
                    + "file that has none"
            );
        string? data = arguments.DataNode == null ? null : used[1].FileName;
        return BlankImage.TryPlan(wanted with { DataFileName = data }, out image) is { } refusal
            ? QmpError.Generic(refusal)
            : null;
    }

    QmpError? Take(MonitorNode node)
    {
        CommandAnswer answer = turns.OnReactor(() =>
        {
            if (node.Device.HasJob || node.Device.HasDisk)
                return QmpError.Generic($"Node '{node.Name}' is busy");
            node.Device.HasDisk = true;
            return CommandAnswer.Done;
        });
        if (answer.Error != null)
            return answer.Error;
        _taken.Add(node);
        node.ParentCount++;
        return null;
    }

    void Leave(MonitorNode node)
    {
        if (!_taken.Remove(node))
            return;
        node.ParentCount--;
        _ = turns.OnReactor(
            () =>
            {
                node.Device.HasDisk = false;
                return CommandAnswer.Done;
            },
            mayBeStopped: true
        );
    }

    /// <summary>On a thread of its own.</summary>
    /// <returns>Null, or what went wrong: a sentence.</returns>
    static string? MakeFile(CreateArguments arguments)
    {
        string path = arguments.FileName;
        bool isMade = false;
        try
        {
            FileStreamOptions how = new()
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                PreallocationSize = arguments.IsAllocated ? arguments.SizeBytes : 0,
            };
            using FileStream file = new(path, how);
            isMade = true;
            file.SetLength(arguments.SizeBytes);
            return null;
        }
        catch (Exception exception)
            when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            if (isMade)
                File.Delete(path);
            return $"Could not create '{path}': {FileTrouble.Describe(exception)}";
        }
    }

    /// <summary>On a thread of its own.</summary>
    /// <returns>As MakeFile.</returns>
    string? MakeImage(BlankImage image, BlankImageOptions options, List<MonitorNode> used)
    {
        using DeviceReader file = new(turns.Engine.Reactor, used[0].Device.Device);
        Fault fault = image.Write(file);
        if (fault.IsNone && options.IsPreallocated && used.Count > 1)
        {
            // As long as the disk: what is not there would be a file that was cut.
            using DeviceReader data = new(turns.Engine.Reactor, used[1].Device.Device);
            if (data.SizeBytes < options.SizeBytes)
                fault = data.Write(options.SizeBytes - 512, new byte[512]);
            if (fault.IsNone)
                fault = data.Flush();
        }
        return fault.IsNone ? null : $"Could not write '{used[0].FileName}': {QmpError.Describe(fault)}";
    }
}
