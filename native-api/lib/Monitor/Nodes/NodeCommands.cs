// blockdev-add, blockdev-del: devices for backups to go to, scratch, and sources that no guest uses. A file may take
// its time to open and to close: other clients do not wait for that.
// Source of order and words of the refusals: QEMU 7.2 block.c, block/file-posix.c, blockdev.c.
using System.Collections.Generic;
using FastBackup.Devices;
using FastBackup.Native.Monitor.Commands;

namespace FastBackup.Native.Monitor.Nodes;

/// <summary>Threads: the monitor's.</summary>
sealed class NodeCommands(MonitorTurns turns, NodeTable nodes, PatientFiles files, MonitorInbox inbox)
{
    public CommandAnswer Add(CommandCall call)
    {
        NodeArguments arguments = NodeArguments.Read(call.Arguments);
        if (call.Arguments.End() is { } error)
            return error;
        if (arguments.Name == null)
            return QmpError.Generic("'node-name' must be specified for the root node");
        return NodeOpening.Begin(call, arguments, turns, nodes, files, inbox);
    }

    public CommandAnswer Remove(CommandCall call)
    {
        string name = call.Arguments.Text("node-name");
        if (call.Arguments.End() is { } error)
            return error;
        if (nodes.Find(name) is not { } node)
            return turns.OnReactor(() =>
                QmpError.Generic(
                    nodes.FindHostDisk(name) == null
                        ? $"Failed to find node with node-name='{name}'"
                        : $"Node {name} is not owned by the monitor"
                )
            );
        if (node.IsInline) // it goes with what it came inside of
            return QmpError.Generic($"Node {name} is not owned by the monitor");
        List<FileDevice> closing = [];
        return NodeRemoval.TryClose(turns, nodes, node, closing) is { } refusal
            ? refusal
            : AnswerWhenClosed(call, closing);
    }

    CommandAnswer AnswerWhenClosed(CommandCall call, List<FileDevice> closing)
    {
        bool isLater = files.Patience.TryRun(
            "fb-close",
            () =>
            {
                foreach (FileDevice file in closing)
                    file.WaitClosed();
                call.Finish(CommandAnswer.Done);
            }
        );
        return isLater ? CommandAnswer.Later : CommandAnswer.Done;
    }
}
