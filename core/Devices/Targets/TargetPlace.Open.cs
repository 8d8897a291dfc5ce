// Making the file under its partial name, and taking it away again. The file is made anew (O_EXCL) and readable by its
// owner only: a disk holds secrets. It is marked as unfinished from its first moment, by which later runs know whose
// it is.
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Targets;

public sealed partial class TargetPlace
{
    const uint OwnerOnly = 0x180; // 0600

    /// <summary>Makes the new file with its size, or opens the block device.</summary>
    /// <param name="loop">Drives the device.</param>
    /// <param name="how">How to open it; Path and CreateBytes are this place's.</param>
    /// <param name="device">The device, or null when refused. Owner: the caller; it may end before or after
    /// this.</param> <returns>None, or why not; then nothing was changed.</returns>
    public OpenRefusal TryOpen(IIoLoop loop, FileOpenOptions how, out FileDevice? device)
    {
        device = null;
        Check.That(_fd < 0);
        how = how with { IsLockIgnored = _options.IsLockIgnored, Format = _options.Format };
        if (PartialPath == null)
            return TryOpenBlockDevice(loop, how with { Path = Path, CreateBytes = null }, out device);
        OpenRefusal refusal = IsResumed ? TryTakeLeftover(out int fd) : TryCreate(out fd);
        if (!refusal.IsNone)
            return refusal;
        FileOpenOptions options = how with
        {
            Path = PartialPath,
            CreateBytes = _options.SizeBytes,
            IsContentKept = IsResumed,
        };
        refusal = DeviceOpener.TryAdopt(loop, options, fd, out device);
        // Until it was locked, a run that may replace leftovers could take it for one.
        if (refusal.IsNone && !IsOurs(PartialName))
        {
            device!.Dispose();
            device = null;
            refusal = Taken();
        }
        if (refusal.IsNone)
            return default;
        Undo();
        return refusal.Fault.Errno == Errnos.EBUSY
            ? Taken()
            : new OpenRefusal(refusal.Fault, $"{refusal.Sentence}; {Hint(refusal.Fault)}");
    }

    OpenRefusal TryOpenBlockDevice(IIoLoop loop, FileOpenOptions how, out FileDevice? device)
    {
        OpenRefusal refusal = DeviceOpener.TryOpen(loop, how, out device);
        if (refusal.Fault.Errno == Errnos.EBUSY)
            return refusal with { Sentence = $"target {refusal.Sentence}, or give {_options.IgnoreWord}" };
        return refusal.Fault is { Kind: FaultKind.Unsupported, Errno: 0 } ? ExplainFormat(_options, refusal) : refusal;
    }

    /// <summary>Makes the new file with its size, for another process to open under its partial name.</summary>
    /// <returns>None, also for a block device, which is there; or why not: then nothing was changed.</returns>
    public OpenRefusal TryMake()
    {
        Check.That(_fd < 0);
        if (PartialPath == null)
            return default;
        OpenRefusal refusal = TryCreate(out int fd);
        if (!refusal.IsNone)
            return refusal;
        int result = _calls.Resize(fd, _options.SizeBytes);
        NameCalls.Close(fd);
        if (result >= 0)
            return default;
        Undo();
        return Explain("give its size to", PartialPath, -result);
    }

    /// <summary>A new file under the partial name, marked as unfinished; a left-over one goes if it may: to go on with
    /// one in which nothing is yet is to begin.</summary>
    OpenRefusal TryCreate(out int fd)
    {
        fd = -1;
        bool mayGo = _options.MayReplace || (_isLeftoverEmpty && _options.MayResume);
        OpenRefusal refusal = mayGo ? RemoveLeftover() : default;
        if (!refusal.IsNone)
            return refusal;
        const int flags = Files.O_RDWR | Files.O_CREAT | Files.O_EXCL;
        fd = _calls.Open(_entry.FolderFd, PartialName, flags | Folders.O_NOFOLLOW, OwnerOnly);
        if (fd < 0)
            return Explain("create", PartialPath!, -fd);
        int result = _calls.Look(fd, out NameLook look);
        _ours = look.Identity;
        _fd = result < 0 ? result : _calls.Duplicate(fd);
        if (_fd < 0)
        {
            (result, _fd) = (_fd, fd);
            Undo();
            return Explain("create", PartialPath!, -result);
        }
        _ = UnfinishedMark.TryPut(_calls, _fd, UnfinishedMark.NeedsAll); // not everywhere; then its name must do
        return default;
    }

    /// <summary>The partial of an earlier run, as it is.</summary>
    OpenRefusal TryTakeLeftover(out int fd)
    {
        OpenRefusal refusal = TryOpenLeftover(Files.O_RDWR, out fd);
        if (!refusal.IsNone)
            return refusal;
        if (fd < 0)
            return Explain("go on with", PartialPath!, Errnos.ENOENT);
        int result = _calls.Look(fd, out NameLook look);
        if (result >= 0 && look.IsFile && look.SizeBytes == _options.SizeBytes)
            result = _fd = _calls.Duplicate(fd);
        else if (result >= 0)
            result = -Errnos.ESTALE;
        _ours = look.Identity;
        _ = _calls.Lock(fd, Files.LOCK_UN); // the device takes its own, and then the name is looked at once more
        if (result >= 0 && IsOurs(PartialName))
            return default;
        NameCalls.Close(fd);
        NameCalls.Close(_fd);
        (fd, _fd) = (-1, -1);
        return result < 0 ? Explain("go on with", PartialPath!, -result) : Taken();
    }

    /// <summary>Takes back what TryOpen or TryMake made, for a job that never wrote to it.</summary>
    public void Undo()
    {
        if (PartialPath == null || _fd < 0 || _isPublished)
            return;
        if (!IsResumed && IsOurs(PartialName))
            _ = _calls.Unlink(_entry.FolderFd, PartialName);
        NameCalls.Close(_fd);
        _fd = -1;
    }

    /// <summary>Whether the unfinished copy lies under its partial name.</summary>
    public bool HasPartial => _fd >= 0 && !_isPublished && IsOurs(PartialName);

    bool IsOurs(string name) => _calls.Look(_entry.FolderFd, name, out NameLook look) >= 0 && look.Identity == _ours;

    /// <summary>Only one that nobody is writing: the lock tells.</summary>
    OpenRefusal RemoveLeftover()
    {
        OpenRefusal refusal = TryOpenLeftover(Files.O_RDONLY, out int fd);
        if (!refusal.IsNone || fd < 0)
            return refusal;
        int result = _calls.Look(fd, out NameLook open);
        Fault fault = NameLook.TryTake(_calls, _entry.FolderFd, PartialName, out NameLook named);
        if (result < 0 || fault.IsFault || (!named.IsNothing && named.Identity != open.Identity))
            refusal = Taken(); // between the open and the lock another run has put its own there
        else if (!named.IsNothing && _calls.Unlink(_entry.FolderFd, PartialName) is < 0 and var errno)
            refusal = Explain("remove", PartialPath!, -errno);
        NameCalls.Close(fd);
        return refusal;
    }

    /// <returns>None, and fd -1 when nothing is there; else refused, and fd -1.</returns>
    OpenRefusal TryOpenLeftover(int flags, out int fd)
    {
        fd = _calls.Open(_entry.FolderFd, PartialName, flags | Files.O_NONBLOCK | Folders.O_NOFOLLOW);
        if (fd >= 0 && _calls.Lock(fd, Files.LOCK_EX | Files.LOCK_NB) != -Errnos.EAGAIN)
            return default; // a file system without locks cannot be asked
        int errno = fd < 0 ? -fd : 0;
        NameCalls.Close(fd);
        fd = -1;
        return errno switch
        {
            Errnos.ENOENT => default,
            0 or Errnos.EBUSY => Taken(), // the one says it by a lock, the other by letting nobody open it
            _ => Explain("replace", PartialPath!, errno),
        };
    }

    OpenRefusal Taken() =>
        OpenRefusal.InUse($"another backup is writing '{PartialPath}' now; wait for it or give another target");
}
