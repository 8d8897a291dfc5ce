// The kernel's calls on names, of which a test lets one fail, or lets something happen just before one.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;

namespace FastBackup.Tests.Unit.Devices;

sealed class StagedNames : NameCalls
{
    readonly Dictionary<int, Action> _before = [];
    readonly Dictionary<int, int> _failures = [];
    readonly HashSet<string> _unknown = [];

    /// <summary>The calls so far, by name, in order.</summary>
    public List<string> Made { get; } = [];

    /// <summary>Runs an act of somebody else just before a call.</summary>
    /// <param name="index">The place of the call in <see cref="Made"/>.</param>
    /// <param name="act">What happens.</param>
    public void Before(int index, Action act) => _before[index] = act;

    /// <summary>Lets one call fail without being made.</summary>
    public void Fail(int index, int errno) => _failures[index] = errno;

    /// <summary>Lets all calls of a name fail as on a file system that does not know them.</summary>
    public void Forget(string call) => _unknown.Add(call);

    int Stage(string call, int unknownErrno, Func<int> real)
    {
        int index = Made.Count;
        Made.Add(call);
        if (_before.Remove(index, out Action? act))
            act();
        if (_failures.TryGetValue(index, out int errno))
            return -errno;
        return _unknown.Contains(call) ? -unknownErrno : real();
    }

    public override int Open(int folderFd, string name, int flags, uint mode = 0) =>
        Stage((flags & Files.O_CREAT) != 0 ? "create" : "open", 0, () => base.Open(folderFd, name, flags, mode));

    public override int Look(int folderFd, string name, out NameLook look)
    {
        NameLook seen = default;
        int result = Stage("look", 0, () => base.Look(folderFd, name, out seen));
        look = seen;
        return result;
    }

    public override int Link(int fd, int folderFd, string name) =>
        Stage("link", Errnos.EPERM, () => base.Link(fd, folderFd, name));

    public override int Rename(int folderFd, string from, string to, uint flags) =>
        Stage(
            flags switch
            {
                Folders.RENAME_EXCHANGE => "exchange",
                Folders.RENAME_NOREPLACE => "rename to free",
                _ => "rename",
            },
            Errnos.EINVAL,
            () => base.Rename(folderFd, from, to, flags)
        );

    public override int Unlink(int folderFd, string name) => Stage("unlink", 0, () => base.Unlink(folderFd, name));

    public override int Flush(int fd) => Stage("flush", Errnos.EINVAL, () => base.Flush(fd));

    public override int Lock(int fd, int operation) => Stage("lock", Errnos.EOPNOTSUPP, () => base.Lock(fd, operation));

    public override int ChangeOwner(int fd, uint userId, uint groupId) =>
        Stage("owner", Errnos.EPERM, () => base.ChangeOwner(fd, userId, groupId));

    public override int ChangeMode(int fd, uint mode) => Stage("mode", Errnos.EPERM, () => base.ChangeMode(fd, mode));

    public override int WriteAttribute(int fd, string name, ReadOnlySpan<byte> value)
    {
        byte[] copy = value.ToArray(); // a span cannot go into a call that is staged
        return Stage("mark", Errnos.EOPNOTSUPP, () => base.WriteAttribute(fd, name, copy));
    }

    public override int ReadAttribute(int fd, string name, Span<byte> value) =>
        name == UnfinishedMark.AttributeName && _unknown.Contains("mark")
            ? -Errnos.EOPNOTSUPP
            : base.ReadAttribute(fd, name, value);

    public override int RemoveAttribute(int fd, string name) =>
        Stage("unmark", Errnos.EOPNOTSUPP, () => base.RemoveAttribute(fd, name));

    public override int Duplicate(int fd) => Stage("duplicate", 0, () => base.Duplicate(fd));
}
