// blockdev-add. What it is told is looked at on the monitor's thread; the file is opened on a thread of its own,
// because a file system may not answer, and other clients must not wait for that; then, on the monitor's thread again,
// the nodes are made. Its client waits for the answer, as for every command; also when it has gone the nodes are made,
// as for every command. When the monitor ends meanwhile, the opening is given up.
// Source of order and words of the refusals: QEMU 7.2 block.c, block/file-posix.c, blockdev.c.
using System;
using System.Collections.Generic;
using System.Text;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;
using FastBackup.Interop.Linux;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;
using FastBackup.Repositories;

namespace FastBackup.Native.Monitor.Nodes;

/// <summary>Threads: the monitor's, but what says otherwise.</summary>
sealed class NodeOpening
{
    const int NameBytesMax = 31;
    const int NodesMax = 1024;
    const ushort S_IFCHR = 0x2000;

    readonly CommandCall _call;
    readonly MonitorTurns _turns;
    readonly NodeTable _nodes;
    readonly PatientFiles _files;
    readonly MonitorInbox _inbox;

    /// <summary>The node that was asked for, then what comes inside of it.</summary>
    readonly List<NodeArguments> _levels = [];

    QmpError? _problem; // of the open: written on its thread before its end is posted
    MonitorNode? _under; // what an image is opened over, kept until that has ended

    NodeOpening(
        CommandCall call,
        NodeArguments arguments,
        MonitorTurns turns,
        NodeTable nodes,
        PatientFiles files,
        MonitorInbox inbox
    )
    {
        (_call, _turns, _nodes, _files, _inbox) = (call, turns, nodes, files, inbox);
        for (NodeArguments? level = arguments; level != null; level = level.File)
            _levels.Add(level);
    }

    /// <summary>The innermost: a file, or a name over a node that is there.</summary>
    NodeArguments Innermost => _levels[^1];

    /// <summary>The image, where there is one.</summary>
    NodeArguments? Image => _levels.Find(level => level.IsImage);

    public static CommandAnswer Begin(
        CommandCall call,
        NodeArguments arguments,
        MonitorTurns turns,
        NodeTable nodes,
        PatientFiles files,
        MonitorInbox inbox
    )
    {
        NodeOpening opening = new(call, arguments, turns, nodes, files, inbox);
        if (opening.Check() is { } wrong)
            return wrong;
        bool isName = opening.Innermost.FileNode != null && opening.Image == null;
        return isName ? opening.MakeNodes(null, null) : opening.Open();
    }

    CommandAnswer Open()
    {
        if (Innermost.FileNode is { } under && TakeUnder(_nodes.Find(under)!) is { } used)
            return used;
        bool isStarted = DeviceOpening.TryStart(
            _files.Patience,
            _turns.Engine.Reactor,
            OpenGuarded,
            opening => _inbox.Post(() => End(opening)),
            out DeviceOpening? started
        );
        if (!isStarted)
            LeaveUnder();
        if (!isStarted)
            return QmpError.Generic(
                $"{PatientFiles.HangingMax} files or devices do not answer: no more are opened before one of them does"
            );
        _files.Openings.Add(started!);
        return CommandAnswer.Later;
    }

    void End(DeviceOpening opening)
    {
        _ = _files.Openings.Remove(opening);
        if (_problem == null && Check() is { } wrong) // names may have been taken meanwhile
            _problem = wrong;
        if (_problem != null)
        {
            opening.GiveUp();
            LeaveUnder();
            _call.Answer(_problem);
            return;
        }
        IBlockDevice opened = opening.Take()!;
        BorrowedDevice? lent = ((opened as Qcow2Device)?.File ?? (opened as Qcow2NewImage)?.File) as BorrowedDevice;
        Answer answer = DeviceMaking.Adopt(_turns.Engine, opened, out DeviceObject? device);
        DeviceObject? file = device;
        if (device != null && lent is { IsOwned: true })
            answer = DeviceMaking.Adopt(_turns.Engine, lent.Inner, out file);
        if (file == null)
        {
            if (device == null)
                DeviceOpening.Close(_files.Patience, _turns.Engine.Reactor, opened);
            else
                _ = DeviceClosing.Close(device, out _);
            LeaveUnder();
            _call.Answer(QmpError.Of(answer));
            return;
        }
        if (lent is { IsOwned: true })
        {
            lent.IsOwned = false;
            file.HasDisk = true; // nobody else has it yet
        }
        if (_under is { } under)
            under.ParentCount--; // the node that is made counts
        _call.Answer(MakeNodes(_under == null ? file : null, lent == null ? null : device));
    }

    /// <summary>An image is opened over a node: it stays, and is nobody else's.</summary>
    QmpError? TakeUnder(MonitorNode node)
    {
        CommandAnswer answer = _turns.OnReactor(() =>
        {
            if (node.Device.HasJob || node.Device.HasDisk && NodeTable.TryDropDisk(node) is { IsOk: false })
                return QmpError.Generic($"Node '{node.Name}' is busy");
            if (node.Device.HasDisk)
                return QmpError.Generic($"Node '{node.Name}' is busy");
            node.Device.HasDisk = true;
            return CommandAnswer.Done;
        });
        if (answer.Error != null)
            return answer.Error;
        (_under, node.ParentCount) = (node, node.ParentCount + 1);
        return null;
    }

    void LeaveUnder()
    {
        if (_under is not { } node)
            return;
        _under = null;
        node.ParentCount--;
        Free(node.Device);
    }

    /// <summary>That no node was made of.</summary>
    void CloseImage(DeviceObject image, DeviceObject file)
    {
        _ = DeviceClosing.Close(image, out _);
        Free(file);
    }

    void Free(DeviceObject file) =>
        _turns.OnReactor(
            () =>
            {
                file.HasDisk = false;
                return CommandAnswer.Done;
            },
            mayBeStopped: true
        );

    /// <summary>From the inside to the outside.</summary>
    /// <param name="device">Of the innermost; null when that lies on a node.</param>
    /// <param name="image">Over it; null where there is none.</param>
    CommandAnswer MakeNodes(DeviceObject? device, DeviceObject? image)
    {
        MonitorNode? inside = device == null ? _nodes.Find(Innermost.FileNode!) : null;
        for (int i = _levels.Count - 1; i >= 0; i--)
        {
            // What came inside may have taken the name, or the last place.
            if (CheckRoom(_levels[i].Name) is { } taken)
            {
                if (image != null && !_levels[(i + 1)..].Exists(level => level.IsImage))
                    CloseImage(image, inside?.Device ?? device!);
                if (i < _levels.Count - 1)
                    _ = NodeRemoval.Drop(_nodes, inside!, []); // not TryClose: nothing may keep it
                return taken;
            }
            inside = MakeNode(_levels[i], isInline: i > 0, inside, _levels[i].IsImage ? image! : device);
            _nodes.Add(inside);
        }
        return CommandAnswer.Done;
    }

    MonitorNode MakeNode(NodeArguments level, bool isInline, MonitorNode? file, DeviceObject? device)
    {
        if (file != null)
            file.ParentCount++;
        DeviceObject made = level.IsImage ? device! : file?.Device ?? device!;
        return new MonitorNode
        {
            Name = level.Name ?? _nodes.NextName(),
            Driver = level.Driver,
            Device = made,
            FileName = file?.FileName ?? level.FileName,
            File = file,
            IsInline = isInline,
            IsReadOnly = level.IsImage || file == null ? made.Device.Limits.IsReadOnly : file.IsReadOnly,
            IsDirect = file?.IsDirect ?? made.Device is FileDevice { IsDirect: true },
        };
    }

    /// <summary>Of all levels, from the outside.</summary>
    QmpError? Check()
    {
        foreach (NodeArguments level in _levels)
            if (Check(level) is { } wrong)
                return wrong;
        return _levels.FindAll(level => level.IsImage).Count > 1
            ? QmpError.Generic("an image inside of an image is not supported")
            : null;
    }

    QmpError? Check(NodeArguments level)
    {
        if (CheckName(level.Name) is { } wrong)
            return wrong;
        if (level.IsForceShare && !level.IsReadOnly)
            return QmpError.Generic("force-share=on can only be used with read-only images");
        if (level.IsWithoutFlush)
            return QmpError.Generic("cache.no-flush=on is not supported: a backup that is done is flushed");
        if (level.New != null && (level.File is not { Driver: "file" } || level.IsReadOnly))
            return QmpError.Generic(
                "x-new makes an image with its file: it takes a 'file' of driver file, to write to"
            );
        if (level.FileNode is { } name)
            return _nodes.Find(name) == null
                ? QmpError.Generic($"Cannot find device='{name}' nor node-name='{name}'")
                : null;
        if (level.File != null)
            return null;
        if (level.Point is { } point)
            return level.IsReadOnly ? QmpError.Generic("a point in a repository is written to: it cannot be read-only")
                : point.Check() is { } odd ? QmpError.Generic(odd)
                : null;
        if (level.IsRemote)
            return DeviceSchemes.Known.Check(level.FileName) is { } bad
                ? QmpError.Generic($"'{level.FileName}' {bad}")
                : null;
        if (level.FileName.Length == 0)
            return QmpError.Generic($"The '{level.Driver}' block driver requires a file name");
        return level.FileName.Contains('\0') ? QmpError.Generic("a file name has a NUL inside") : null;
    }

    QmpError? CheckRoom(string? name) =>
        name != null && _nodes.Find(name) != null ? QmpError.Generic($"Duplicate nodes with node-name='{name}'")
        : _nodes.Nodes.Count >= NodesMax ? QmpError.Generic($"there are {NodesMax} nodes, which is the most")
        : null;

    QmpError? CheckName(string? name)
    {
        if (CheckRoom(null) is { } full)
            return full;
        if (name == null)
            return null;
        if (!QmpName.IsWellFormed(name))
            return QmpError.Generic($"Invalid node-name: '{name}'");
        if (_nodes.Find(name) != null)
            return QmpError.Generic($"Duplicate nodes with node-name='{name}'");
        if (Encoding.UTF8.GetByteCount(name) > NameBytesMax)
            return QmpError.Generic("Node name too long");
        return _turns
            .OnReactor(() =>
                _nodes.FindHostDisk(name) == null
                    ? CommandAnswer.Done
                    : QmpError.Generic($"Duplicate nodes with node-name='{name}'")
            )
            .Error;
    }

    /// <summary>A bug in there stops the engine, as in every call of the C interface; never the process.</summary>
    IBlockDevice? OpenGuarded()
    {
        try
        {
            return Image is { } image ? OpenImage(image) : OpenFile();
        }
#pragma warning disable CA1031 // the boundary: whatever it is, it must not end the host process
        catch (Exception exception)
#pragma warning restore CA1031
        {
            bool isMemory = Guard.Caught(exception, _turns.MonitorId) == Status.NoMemory;
            _problem = QmpError.Generic(isMemory ? "out of memory" : "an internal error: " + exception.Message);
            return null;
        }
    }

    /// <summary>Makes an image and its file. On the opening's thread.</summary>
    /// <returns>Null: why not is in the problem.</returns>
    Qcow2NewImage? MakeImage(ImageMaking making)
    {
        OpenRefusal refusal = making.TryBegin(
            _turns.Engine.Reactor,
            Innermost.FileName,
            Innermost.IsLockIgnored,
            out NewImageShape? shape,
            out IBlockDevice? backing
        );
        IBlockDevice? file = null;
        if (shape != null)
        {
            FileOpenOptions options = new()
            {
                Path = Innermost.FileName,
                CreateBytes = shape.FileBytesMax,
                IsDirect = Innermost.IsDirect ?? true,
                IsLockIgnored = Innermost.IsLockIgnored,
            };
            Answer answer = DeviceMaking.TryOpen(_turns.Engine, options, isRemote: false, out file);
            _problem = file == null ? QmpError.Of(answer) : null;
        }
        else
        {
            _problem = QmpError.Of(Answer.Of(refusal));
        }
        if (file == null)
            backing?.Dispose();
        return file == null
            ? null
            : Qcow2NewImage.Create(_turns.Engine.Reactor, new BorrowedDevice(file, isOwned: true), shape!, backing);
    }

    /// <summary>Opens the image, and what it lies on unless that is a node. On the opening's thread.</summary>
    /// <returns>Null: why not is in the problem.</returns>
    IBlockDevice? OpenImage(NodeArguments image)
    {
        if (image.New is { } making)
            return MakeImage(making);
        IBlockDevice? file = _under?.Device.Device ?? OpenFile();
        if (file == null)
            return null;
        FileOpenOptions options = new()
        {
            Path = _under?.FileName ?? Innermost.FileName,
            IsReadOnly = image.IsReadOnly || file.Limits.IsReadOnly,
            IsDirect = Innermost.IsDirect ?? true,
            IsLockIgnored = Innermost.IsLockIgnored || image.IsForceShare,
        };
        BorrowedDevice lent = new(file, isOwned: _under == null);
        OpenRefusal refusal = ImageOpener.TryOpenOver(_turns.Engine.Reactor, options, lent, out IBlockDevice? opened);
        if (opened == null)
            _problem = QmpError.Of(Answer.Of(refusal));
        return opened;
    }

    /// <summary>Opens the innermost. On the opening's thread.</summary>
    /// <returns>Null: why not is in the problem.</returns>
    IBlockDevice? OpenFile()
    {
        NodeArguments level = Innermost;
        if (level.Point is { } point)
        {
            OpenRefusal refusal = point.TryOpen(_turns.Engine.Reactor, out PointTarget? target);
            _problem = target == null ? QmpError.Of(Answer.Of(refusal)) : null;
            return target;
        }
        if (!level.IsRemote && (_problem = CheckType(level)) != null)
            return null;
        FileOpenOptions options = new()
        {
            Path = level.FileName,
            IsReadOnly = level.IsReadOnly || Image is { IsReadOnly: true }, // which has nothing to write then
            IsDirect = level.IsDirect ?? true,
            IsLockIgnored = level.IsLockIgnored,
            Format = FormatRule.Noted, // driver raw may come over it later
            Remote = level.Remote,
        };
        Answer answer = DeviceMaking.TryOpen(_turns.Engine, options, level.IsRemote, out IBlockDevice? opened);
        bool isDenied = answer.Fault.Errno is Errnos.EACCES or Errnos.EROFS or Errnos.EPERM;
        options = options with { IsReadOnly = true };
        if (opened == null && level.IsAutoReadOnly && isDenied)
            answer = DeviceMaking.TryOpen(_turns.Engine, options, level.IsRemote, out opened);
        if (opened == null)
            _problem =
                level.IsRemote || answer.Fault.Errno is 0 or Errnos.EBUSY or Errnos.EAGAIN
                    ? QmpError.Of(answer)
                    : QmpError.Generic($"Could not open '{level.FileName}': {QmpError.Describe(answer.Fault)}");
        return opened;
    }

    /// <summary>Each driver has its kind of file.</summary>
    static unsafe QmpError? CheckType(NodeArguments level)
    {
        string path = level.FileName;
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        if (Files.Statx(Files.AT_FDCWD, path, 0, Files.STATX_BASIC_STATS, &status) < 0)
            return null; // the open will say why
        int type = status.Mode & Files.S_IFMT;
        if (type == Files.S_IFDIR)
            return null;
        bool isDevice = type is Files.S_IFBLK or S_IFCHR;
        if (level.Driver == "file" && type != Files.S_IFREG)
            return QmpError.Generic($"'file' driver requires '{path}' to be a regular file");
        return level.Driver == "host_device" && !isDevice
            ? QmpError.Generic($"'host_device' driver requires '{path}' to be either a character or block device")
            : null;
    }
}
