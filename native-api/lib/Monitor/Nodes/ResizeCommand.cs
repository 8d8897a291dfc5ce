// block_resize: a disk becomes larger, also one that no guest uses. For hosts that have made their own device larger,
// and for files, which are made so.
// Source of arguments, order and words: QEMU 7.2 blockdev.c, qmp_block_resize.
using FastBackup.Base;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Nodes;

/// <summary>Threads: the monitor's.</summary>
sealed class ResizeCommand(MonitorTurns turns, NodeTable nodes)
{
    public CommandAnswer Run(CommandCall call)
    {
        string? device = call.Arguments.OptionalText("device");
        string? node = call.Arguments.OptionalText("node-name");
        long sizeBytes = call.Arguments.Integer("size");
        if (call.Arguments.End() is { } error)
            return error;
        if (sizeBytes < 0)
            return QmpError.Generic("Parameter 'size' expects a >0 size");
        if (device == null && node == null)
            return QmpError.Generic("A block device must be specified for this operation");
        if (device != null && node != null)
            return QmpError.Generic("Device and node-name are mutually exclusive");
        DiskObject? disk = null;
        CommandAnswer found = turns.OnReactor(() =>
            nodes.FindSource((device ?? node)!, out disk) is { } missing ? missing : CommandAnswer.Done
        );
        if (disk == null)
            return found;
        Answer answer = DiskEnlargement.Begin(
            disk,
            (ulong)sizeBytes,
            fault =>
                call.Finish(
                    fault.IsNone ? CommandAnswer.Done
                    : fault.Kind != FaultKind.State ? QmpError.Generic(fault.ToString())
                    : QmpError.Generic($"disk '{disk.Core.Name}' has jobs or busy bitmaps by now: it has not grown")
                )
        );
        return answer.Status == Status.Pending ? CommandAnswer.Later : QmpError.Of(answer);
    }
}
