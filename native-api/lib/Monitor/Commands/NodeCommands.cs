// blockdev-add, blockdev-del: devices for backups to go to, scratch, and sources that no guest uses.
// Source of order and words of the refusals: QEMU 7.2 block.c, block/file-posix.c, blockdev.c.
using System.Text;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Interop.Linux;
using FastBackup.Native.Devices;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Plans;

namespace FastBackup.Native.Monitor.Commands;

static class NodeCommands
{
    const int NameBytesMax = 31;
    const int NodesMax = 1024;
    const ushort S_IFCHR = 0x2000;

    public static CommandAnswer Add(CommandCall call)
    {
        NodeArguments arguments = NodeArguments.Read(call.Arguments);
        if (call.Arguments.End() is { } error)
            return error;
        if (arguments.Name == null)
            return QmpError.Generic("'node-name' must be specified for the root node");
        return Open(call.Monitor, arguments, isInline: false, out _) is { } refusal ? refusal : CommandAnswer.Done;
    }

    public static CommandAnswer Remove(CommandCall call)
    {
        string name = call.Arguments.Text("node-name");
        if (call.Arguments.End() is { } error)
            return error;
        NodeTable nodes = call.Monitor.Nodes;
        if (nodes.Find(name) is not { } node)
            return call.Monitor.OnReactor(() =>
                QmpError.Generic(
                    nodes.FindHostDisk(name) == null
                        ? $"Failed to find node with node-name='{name}'"
                        : $"Node {name} is not owned by the monitor"
                )
            );
        if (node.IsInline) // it goes with what it came inside of
            return QmpError.Generic($"Node {name} is not owned by the monitor");
        return TryClose(call.Monitor, node) is { } refusal ? refusal : CommandAnswer.Done;
    }

    /// <summary>Closes a node and what came inside of it, unless other nodes lie on that.</summary>
    /// <returns>Null, or why it must stay: then nothing was closed.</returns>
    public static QmpError? TryClose(MonitorObject monitor, MonitorNode node)
    {
        if (node.ParentCount > 0)
            return InUse(node);
        if (monitor.OnReactor(() => TryFree(node), mayBeStopped: true).Error is { } problem)
            return problem;
        MonitorNode? next = node;
        while (next is { } one)
        {
            monitor.Nodes.Remove(one);
            next = InsideAlone(one);
            if (one.File is { } file)
                file.ParentCount--;
            else if (DeviceCalls.Close(one.Device.Id) < 0)
                return InUse(one);
        }
        return null;
    }

    /// <summary>Nodes that lie on each other share a device, which has one disk: nothing is half done.</summary>
    static CommandAnswer TryFree(MonitorNode node)
    {
        if (node.Device.HasJob)
            return QmpError.Generic($"Node '{node.Name}' is busy: block device is in use by block job: backup");
        for (MonitorNode? one = node; one != null; one = InsideAlone(one))
            if (!NodeTable.CloseDisk(one).IsOk)
                return InUse(one);
        return CommandAnswer.Done;
    }

    /// <summary>What came inside of a node and has no other on it, or null.</summary>
    static MonitorNode? InsideAlone(MonitorNode node) =>
        node.File is { IsInline: true, ParentCount: 1 } inside ? inside : null;

    static QmpError InUse(MonitorNode node) => QmpError.Generic($"Block device {node.Name} is in use");

    static QmpError? Open(MonitorObject monitor, NodeArguments arguments, bool isInline, out MonitorNode? node)
    {
        node = null;
        if (CheckName(monitor, arguments.Name) is { } wrong)
            return wrong;
        if (arguments.IsForceShare && !arguments.IsReadOnly)
            return QmpError.Generic("force-share=on can only be used with read-only images");
        if (arguments.IsWithoutFlush)
            return QmpError.Generic("cache.no-flush=on is not supported: a backup that is done is flushed");
        return arguments.Driver == "raw"
            ? OpenRaw(monitor, arguments, isInline, out node)
            : OpenFile(monitor, arguments, isInline, out node);
    }

    /// <summary>Also after what comes inside was opened: that may have taken the name, or the last place.</summary>
    static QmpError? CheckRoom(MonitorObject monitor, string? name) =>
        name != null && monitor.Nodes.Find(name) != null ? QmpError.Generic($"Duplicate nodes with node-name='{name}'")
        : monitor.Nodes.Nodes.Count >= NodesMax ? QmpError.Generic($"there are {NodesMax} nodes, which is the most")
        : null;

    static QmpError? CheckName(MonitorObject monitor, string? name)
    {
        if (CheckRoom(monitor, null) is { } full)
            return full;
        if (name == null)
            return null;
        if (!BackupAction.IsWellFormed(name))
            return QmpError.Generic($"Invalid node-name: '{name}'");
        if (monitor.Nodes.Find(name) != null)
            return QmpError.Generic($"Duplicate nodes with node-name='{name}'");
        if (Encoding.UTF8.GetByteCount(name) > NameBytesMax)
            return QmpError.Generic("Node name too long");
        return monitor
            .OnReactor(() =>
                monitor.Nodes.FindHostDisk(name) == null
                    ? CommandAnswer.Done
                    : QmpError.Generic($"Duplicate nodes with node-name='{name}'")
            )
            .Error;
    }

    static QmpError? OpenRaw(MonitorObject monitor, NodeArguments arguments, bool isInline, out MonitorNode? node)
    {
        node = null;
        MonitorNode? file = null;
        if (arguments.FileNode is { } name)
        {
            file = monitor.Nodes.Find(name);
            if (file == null)
                return QmpError.Generic($"Cannot find device='{name}' nor node-name='{name}'");
        }
        else if (Open(monitor, arguments.File!, isInline: true, out file) is { } error)
        {
            return error;
        }
        if (CheckRoom(monitor, arguments.Name) is { } taken)
        {
            if (arguments.File != null)
                _ = TryClose(monitor, file!);
            return taken;
        }
        file!.ParentCount++;
        node = new MonitorNode
        {
            Name = arguments.Name ?? monitor.NextNodeName(),
            Driver = "raw",
            Device = file.Device,
            FileName = file.FileName,
            File = file,
            IsInline = isInline,
            IsReadOnly = file.IsReadOnly,
            IsDirect = file.IsDirect,
        };
        monitor.Nodes.Add(node);
        return null;
    }

    static QmpError? OpenFile(MonitorObject monitor, NodeArguments arguments, bool isInline, out MonitorNode? node)
    {
        node = null;
        if (arguments.FileName.Length == 0)
            return QmpError.Generic($"The '{arguments.Driver}' block driver requires a file name");
        if (arguments.FileName.Contains('\0'))
            return QmpError.Generic("a file name has a NUL inside");
        if (CheckType(arguments) is { } wrong)
            return wrong;
        FileOpenOptions options = new()
        {
            Path = arguments.FileName,
            IsReadOnly = arguments.IsReadOnly,
            IsDirect = arguments.IsDirect ?? true,
        };
        Answer answer = DeviceCalls.OpenFile(monitor.Engine!, options, out DeviceObject? device);
        bool isDenied = answer.Fault.Errno is Errnos.EACCES or Errnos.EROFS or Errnos.EPERM;
        if (device == null && arguments.IsAutoReadOnly && isDenied)
            answer = DeviceCalls.OpenFile(monitor.Engine!, options with { IsReadOnly = true }, out device);
        if (device == null)
            return answer.Fault.Errno is 0 or Errnos.EBUSY or Errnos.EAGAIN
                ? QmpError.Of(answer)
                : QmpError.Generic($"Could not open '{arguments.FileName}': {JobJson.Describe(answer.Fault)}");
        node = new MonitorNode
        {
            Name = arguments.Name ?? monitor.NextNodeName(),
            Driver = arguments.Driver,
            Device = device,
            FileName = arguments.FileName,
            IsInline = isInline,
            IsReadOnly = device.Device.Limits.IsReadOnly,
            IsDirect = device.Device is FileDevice { IsDirect: true },
        };
        monitor.Nodes.Add(node);
        return null;
    }

    /// <summary>Each driver has its kind of file.</summary>
    static unsafe QmpError? CheckType(NodeArguments arguments)
    {
        string path = arguments.FileName;
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        if (Files.Statx(Files.AT_FDCWD, path, 0, Files.STATX_BASIC_STATS, &status) < 0)
            return null; // the open will say why
        int type = status.Mode & Files.S_IFMT;
        if (type == Files.S_IFDIR)
            return null;
        bool isDevice = type is Files.S_IFBLK or S_IFCHR;
        if (arguments.Driver == "file" && type != Files.S_IFREG)
            return QmpError.Generic($"'file' driver requires '{path}' to be a regular file");
        return arguments.Driver == "host_device" && !isDevice
            ? QmpError.Generic($"'host_device' driver requires '{path}' to be either a character or block device")
            : null;
    }
}
