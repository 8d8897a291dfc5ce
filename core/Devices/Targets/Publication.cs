// Giving a whole copy its name. Success means that TARGET is the file that this run has written, durably.
//
//   nothing is there      one more name by descriptor (linkat), which fails if a file has appeared; then the partial
//                         name is taken away. Without hard links: a rename that does not replace.
//   a file is there       it is locked, its owner, mode and attributes are taken over, the two names change places
//                         (RENAME_EXCHANGE), and only when the other one is the file that was looked at it is removed.
//                         Else they change back. Without exchange: a plain rename after the looks.
//
// Content and attributes are flushed before, the folder after. Other hard links of a replaced file keep the old
// content.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Targets;

/// <summary>Threads: one at a time. Blocks for as long as the file system does. Once.</summary>
/// <param name="calls">To the kernel.</param>
/// <param name="entry">The name in the end, in its folder.</param>
/// <param name="partialPath">The name until now, for people.</param>
/// <param name="fd">Of the copy.</param>
/// <param name="ours">Which file that is.</param>
/// <param name="mayReplace">A file that has the name already.</param>
/// <param name="replaced">That file.</param>
/// <param name="words">Gains what could not be done as it should, though the copy is well.</param>
sealed class Publication(
    NameCalls calls,
    FolderEntry entry,
    string partialPath,
    int fd,
    FileIdentity ours,
    bool mayReplace,
    ReplacedFile replaced,
    List<string> words
)
{
    bool _isNamed;

    /// <summary>The copy has its name, durable or not.</summary>
    public bool HasName => _isNamed;

    string PartialName => entry.Name + TargetPlace.PartialEnding;

    string Path => entry.Path;

    /// <summary>Gives the copy, finished and flushed, its name, and makes the name durable.</summary>
    /// <returns>None; else why the name is not there, or not durable. The copy itself is whole.</returns>
    public OpenRefusal Run()
    {
        if (!IsOurs(PartialName))
            return Whole(Errnos.ENOENT, $"somebody has taken the name '{partialPath}' from it meanwhile");
        Fault fault = NameLook.TryTake(calls, entry.FolderFd, entry.Name, out NameLook old);
        if (fault.IsFault)
            return Whole(fault.Errno, $"'{Path}' cannot be looked at: {fault}");
        OpenRefusal refusal = old.IsNothing ? LinkFirst() : ReplaceFirst(old);
        if (!refusal.IsNone)
            return refusal;
        _isNamed = true;
        refusal = FlushFolder();
        return refusal.IsNone ? CheckName() : refusal;
    }

    bool IsOurs(string name) => calls.Look(entry.FolderFd, name, out NameLook look) >= 0 && look.Identity == ours;

    OpenRefusal LinkFirst()
    {
        OpenRefusal refusal = Settle();
        return refusal.IsNone ? Link() : refusal;
    }

    OpenRefusal Link()
    {
        int result = calls.Link(fd, entry.FolderFd, entry.Name);
        if (result == -Errnos.EEXIST)
            return Appeared();
        if (result == -Errnos.ENOSPC || result == -Errnos.EDQUOT || result == -Errnos.EIO)
            return Whole(-result, $"'{partialPath}' cannot be renamed to '{Path}': {Errnos.Describe(-result)}");
        if (result < 0)
            return RenameToFree();
        if (IsOurs(PartialName) && calls.Unlink(entry.FolderFd, PartialName) is < 0 and var errno)
            words.Add($"'{partialPath}' is the same file and could not be removed: {Errnos.Describe(-errno)}");
        return CheckName();
    }

    /// <summary>A file system without hard links, or a kernel that lets this process make none.</summary>
    OpenRefusal RenameToFree()
    {
        int result = calls.Rename(entry.FolderFd, PartialName, entry.Name, Folders.RENAME_NOREPLACE);
        if (IsUnknown(result)) // then what appears between the look and this call is lost
            result =
                calls.Look(entry.FolderFd, entry.Name, out _) >= 0
                    ? -Errnos.EEXIST
                    : calls.Rename(entry.FolderFd, PartialName, entry.Name, 0);
        return result switch
        {
            -Errnos.EEXIST => Appeared(),
            < 0 => Whole(-result, $"'{partialPath}' cannot be renamed to '{Path}': {Errnos.Describe(-result)}"),
            _ => CheckRenamed(),
        };
    }

    /// <summary>The name that was renamed may have changed hands just before: then it goes back.</summary>
    OpenRefusal CheckRenamed()
    {
        if (IsOurs(entry.Name))
            return default;
        _ = calls.Rename(entry.FolderFd, entry.Name, PartialName, Folders.RENAME_NOREPLACE);
        return CheckName();
    }

    OpenRefusal ReplaceFirst(in NameLook old)
    {
        if (old.Identity == ours)
            return CheckName(); // somebody has given it its name already
        if (!mayReplace)
            return Appeared();
        if (!old.IsFile)
            return Whole(Errnos.EEXIST, $"'{Path}' is no regular file any more");
        OpenRefusal refusal = replaced.IsHeld && old.Identity == replaced.Identity ? default : replaced.Hold();
        if (!refusal.IsNone)
            return Whole(refusal.Fault.Errno, refusal.Sentence);
        int result = calls.Look(replaced.Fd, out NameLook held); // the owner as it is now
        if (result < 0)
            return Whole(-result, $"'{Path}' cannot be looked at: {Errnos.Describe(-result)}");
        int wordCount = words.Count;
        KeptAttributes.Take(calls, replaced.Fd, held, fd, words);
        for (int i = wordCount; i < words.Count; i++)
            words[i] = $"'{Path}' was replaced, and {words[i]}";
        if (held.LinkCount > 1)
            words.Add($"'{Path}' had {held.LinkCount} names: the others keep the old content");
        refusal = Settle();
        return refusal.IsNone ? Exchange() : refusal;
    }

    OpenRefusal Exchange()
    {
        int result = calls.Rename(entry.FolderFd, PartialName, entry.Name, Folders.RENAME_EXCHANGE);
        if (IsUnknown(result))
            return ReplaceByRename();
        if (result == -Errnos.ENOENT && calls.Look(entry.FolderFd, entry.Name, out _) < 0)
            return Link(); // the old file has gone meanwhile
        if (result < 0)
            return Whole(-result, $"'{partialPath}' cannot be renamed to '{Path}': {Errnos.Describe(-result)}");
        bool isDone = IsOurs(entry.Name);
        bool isOld =
            calls.Look(entry.FolderFd, PartialName, out NameLook other) >= 0 && other.Identity == replaced.Identity;
        if (isDone && isOld)
        {
            if (calls.Unlink(entry.FolderFd, PartialName) is < 0 and var errno)
                words.Add($"the file that was replaced is left as '{partialPath}': {Errnos.Describe(-errno)}");
            return default;
        }
        _ = calls.Rename(entry.FolderFd, PartialName, entry.Name, Folders.RENAME_EXCHANGE);
        return Whole(Errnos.EBUSY, $"somebody has replaced '{Path}' or '{partialPath}' at the same moment");
    }

    /// <summary>A file system without exchange: what takes the old file's place between look and rename is
    /// lost.</summary>
    OpenRefusal ReplaceByRename()
    {
        bool isOld =
            calls.Look(entry.FolderFd, entry.Name, out NameLook look) >= 0 && look.Identity == replaced.Identity;
        if (!isOld || !IsOurs(PartialName))
            return Whole(Errnos.EBUSY, $"somebody has replaced '{Path}' or '{partialPath}' at the same moment");
        int result = calls.Rename(entry.FolderFd, PartialName, entry.Name, 0);
        if (result == -Errnos.EACCES) // some file systems of Windows do not replace what somebody has open: us
        {
            replaced.Dispose();
            result = calls.Rename(entry.FolderFd, PartialName, entry.Name, 0);
        }
        return result < 0
            ? Whole(-result, $"'{partialPath}' cannot be renamed to '{Path}': {Errnos.Describe(-result)}")
            : CheckName();
    }

    OpenRefusal CheckName() =>
        IsOurs(entry.Name)
            ? default
            : Whole(Errnos.EBUSY, $"somebody has taken the name '{Path}' or '{partialPath}' at the same moment");

    /// <summary>The mark goes, and all that belongs to the file is on stable storage before the name is.</summary>
    OpenRefusal Settle()
    {
        _ = UnfinishedMark.TryTake(calls, fd);
        int result = calls.Flush(fd);
        return result < 0 ? Whole(-result, $"'{partialPath}' cannot be flushed: {Errnos.Describe(-result)}") : default;
    }

    OpenRefusal FlushFolder()
    {
        int folder = calls.Open(entry.FolderFd, ".", Files.O_RDONLY | Files.O_DIRECTORY);
        // A folder may be one that may be written but not read.
        int result = folder < 0 ? calls.FlushSystem(fd) : calls.Flush(folder);
        NameCalls.Close(folder);
        // A file system without flushes of folders (EINVAL) has its own way to keep names.
        if (result is >= 0 or -Errnos.EINVAL)
            return default;
        return new OpenRefusal(
            Errnos.ToFault(-result),
            $"the copy is whole and has its name '{Path}', but its folder cannot be flushed: {Errnos.Describe(-result)}"
        );
    }

    /// <summary>A flag of renameat2 that this file system, or this kernel, does not know.</summary>
    static bool IsUnknown(int result) => result is -Errnos.EINVAL or -Errnos.ENOSYS or -Errnos.EOPNOTSUPP;

    OpenRefusal Appeared() => Whole(Errnos.EEXIST, $"'{Path}' has appeared meanwhile; rename '{partialPath}' yourself");

    static OpenRefusal Whole(int errno, string why) =>
        new(new Fault(Errnos.Classify(errno), errno), $"the copy is whole, but {why}");
}
