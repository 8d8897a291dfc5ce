// Nodes go: each with what came inside of it, all or nothing.
// Source of order and words of the refusals: QEMU 7.2 block.c, blockdev.c.
using System.Collections.Generic;
using FastBackup.Devices;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Nodes;

/// <summary>Threads: the monitor's, or the closing one when that has ended.</summary>
static class NodeRemoval
{
    /// <summary>Closes a node and what came inside of it, unless other nodes lie on that.</summary>
    /// <param name="turns">Of the monitor.</param>
    /// <param name="nodes">Of the monitor.</param>
    /// <param name="node">Goes.</param>
    /// <param name="closing">Gets the files that close themselves now.</param>
    /// <returns>Null, or why it must stay: then nothing was closed.</returns>
    public static QmpError? TryClose(MonitorTurns turns, NodeTable nodes, MonitorNode node, List<FileDevice> closing)
    {
        if (node.ParentCount > 0)
            return InUse(node);
        if (turns.OnReactor(() => TryFree(node), mayBeStopped: true).Error is { } problem)
            return problem;
        return Drop(nodes, node, closing);
    }

    /// <summary>
    /// Takes a node that nobody uses away, and what came inside of it. One that was made a moment ago may have others'
    /// jobs on its device: it is only another name for that.
    /// </summary>
    /// <param name="nodes">Of the monitor.</param>
    /// <param name="node">Goes.</param>
    /// <param name="closing">Gets the files that close themselves now.</param>
    /// <returns>Null, or that a device is in use after all.</returns>
    public static QmpError? Drop(NodeTable nodes, MonitorNode node, List<FileDevice> closing)
    {
        MonitorNode? next = node;
        while (next is { } one)
        {
            nodes.Remove(one);
            next = InsideAlone(one);
            if (one.IsImage && CloseImage(one) is { } kept)
                return kept;
            if (one.File is { } file)
                file.ParentCount--;
            else if (!DeviceClosing.Close(one.Device, out FileDevice? device).IsOk)
                return InUse(one);
            else if (device != null)
                closing.Add(device);
        }
        return null;
    }

    /// <summary>The image first, then what it lies on is free again.</summary>
    static QmpError? CloseImage(MonitorNode node)
    {
        if (!DeviceClosing.Close(node.Device, out _).IsOk)
            return InUse(node);
        DeviceObject file = node.File!.Device;
        _ = file.Engine!.Run(
            file,
            () =>
            {
                file.HasDisk = false;
                return Answer.Ok;
            }
        );
        return null;
    }

    /// <summary>Nodes that lie on each other share a device, which has one disk: nothing is half done.</summary>
    static CommandAnswer TryFree(MonitorNode node)
    {
        if (node.Device.HasJob)
            return QmpError.Generic($"Node '{node.Name}' is busy: block device is in use by block job: backup");
        for (MonitorNode? one = node; one != null; one = InsideAlone(one))
            if (one.IsImage && one.Device.Device.InFlightCount > 0)
                return InUse(one);
            else if (NodeTable.CloseDisk(one) is { IsOk: false } answer)
                return QmpError.Generic($"Block device {one.Name} is in use: {answer.Text}");
        return CommandAnswer.Done;
    }

    /// <summary>What came inside of a node and has no other on it, or null.</summary>
    static MonitorNode? InsideAlone(MonitorNode node) =>
        node.File is { IsInline: true, ParentCount: 1 } inside ? inside : null;

    static QmpError InUse(MonitorNode node) => QmpError.Generic($"Block device {node.Name} is in use");
}
