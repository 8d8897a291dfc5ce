// A file beside an unfinished copy, TARGET.resume, for a record of what of it is there. It belongs to whoever holds the
// partial, by whose lock there is one writer at most. What it says is its user's affair, and so is whether one that
// lies there is of this copy.
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Targets;

public sealed partial class TargetPlace
{
    public const string RecordEnding = ".resume";

    string RecordName => _entry.Name + RecordEnding;

    /// <summary>For people.</summary>
    public string RecordPath => _entry.Path + RecordEnding;

    /// <summary>Opens what lies there.</summary>
    /// <param name="fd">The caller's; -1 after a fault.</param>
    /// <returns>None; ENOENT: there is none; EEXIST: what is there is no file of this kind.</returns>
    public Fault TryOpenRecord(out int fd)
    {
        const int flags = Files.O_RDWR | Files.O_NONBLOCK;
        int result = fd = _calls.Open(_entry.FolderFd, RecordName, flags | Folders.O_NOFOLLOW);
        if (result >= 0)
            result =
                _calls.Look(fd, out NameLook look) is < 0 and var errno ? errno
                : look is { IsFile: true, LinkCount: 1 } ? 0
                : -Errnos.EEXIST;
        if (result >= 0)
            return Fault.None;
        NameCalls.Close(fd);
        fd = -1;
        return Errnos.ToFault(-result);
    }

    /// <summary>Makes it; nothing must be there.</summary>
    public Fault TryMakeRecord(out int fd)
    {
        const int flags = Files.O_RDWR | Files.O_CREAT | Files.O_EXCL;
        fd = _calls.Open(_entry.FolderFd, RecordName, flags | Folders.O_NOFOLLOW, OwnerOnly);
        return fd < 0 ? Errnos.ToFault(-fd) : Fault.None;
    }

    /// <summary>Takes the name of a record away that the caller has open.</summary>
    public void RemoveRecord(int fd)
    {
        bool isIt =
            _calls.Look(fd, out NameLook open) >= 0
            && _calls.Look(_entry.FolderFd, RecordName, out NameLook named) >= 0
            && named.Identity == open.Identity;
        if (isIt)
            _ = _calls.Unlink(_entry.FolderFd, RecordName);
    }
}
