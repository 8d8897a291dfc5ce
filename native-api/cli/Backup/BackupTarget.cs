// Where a backup is written, so that an unfinished one never looks whole.
//
//   file            written as TARGET.partial beside it and renamed over it after the final flush; until then
//                   an existing TARGET is untouched. A symbolic link is followed first, so the link stays.
//   block device    written in place: there is nothing to rename
//
// Every refusal comes before the first change. --force permits three things: to replace an existing file, to
// replace the TARGET.partial of an earlier run (unless that run is still writing: it holds the lock), and to
// overwrite a block device. The source itself is never a target, nor a left-over partial.
using System;
using System.IO;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Interop.Linux;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class BackupTarget
{
    public const string PartialEnding = ".partial";

    const int NameTooLong = 36; // ENAMETOOLONG. Source: errno(3)
    const int TooManyLinks = 40; // ELOOP

    readonly bool _hasLeftover;
    readonly bool _mayReplace;

    BackupTarget(string path, bool isBlockDevice, bool hasLeftover, bool mayReplace)
    {
        Path = path;
        PartialPath = isBlockDevice ? null : path + PartialEnding;
        (_hasLeftover, _mayReplace) = (hasLeftover, mayReplace);
    }

    /// <summary>The file or device in the end; links are resolved.</summary>
    public string Path { get; }

    /// <summary>The file written meanwhile; null for a block device.</summary>
    public string? PartialPath { get; }

    /// <summary>Looks and refuses; changes nothing.</summary>
    /// <param name="source">Open.</param>
    /// <param name="givenPath">As typed.</param>
    /// <param name="isForced">Whether --force was given.</param>
    /// <param name="target">What to write to, or null when refused.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryPlan(FileDevice source, string givenPath, bool isForced, out BackupTarget? target)
    {
        target = null;
        if (givenPath.Length == 0 || givenPath.EndsWith('/'))
            return Refuse($"target '{givenPath}' names no file; give a file name or a block device");
        string path = ResolveLinks(givenPath);
        Fault fault = PathLook.TryLook(path, out PathLook look);
        if (fault.IsFault)
            return new OpenRefusal(fault, $"cannot look at target '{givenPath}': {fault}; {Hint(fault)}");
        switch (look.Kind)
        {
            case PathKind.Folder:
                return Refuse($"target '{givenPath}' is a directory; give the name of a file in it");
            case PathKind.Other:
                return Refuse($"target '{givenPath}' is neither a regular file nor a block device");
            case PathKind.File or PathKind.BlockDevice when look.Identity == source.Identity:
                return Refuse($"target '{givenPath}' is the source itself ('{source.Name}'); give another target");
            case PathKind.File when !isForced:
                return Refuse($"target '{givenPath}' exists; give another name, or --force to replace it");
            case PathKind.BlockDevice when !isForced:
                return Refuse($"target '{givenPath}' is a block device; give --force to overwrite what is on it");
        }
        if (look.Kind == PathKind.BlockDevice)
        {
            target = new BackupTarget(path, isBlockDevice: true, hasLeftover: false, mayReplace: true);
            return default;
        }
        return TryPlanPartial(source, path, isForced, out target);
    }

    /// <summary>Makes the new file with its size, or opens the block device.</summary>
    /// <returns>None, or why not; then nothing was changed.</returns>
    public OpenRefusal TryOpen(IIoLoop loop, FileDevice source, out FileDevice? device)
    {
        device = null;
        if (PartialPath == null)
            return FileDevice.TryOpen(loop, new FileOpenOptions { Path = Path }, out device);
        OpenRefusal refusal = _hasLeftover ? RemoveLeftover() : default;
        if (!refusal.IsNone)
            return refusal;
        ulong sizeBytes = source.Limits.CapacityBytes;
        refusal = FileDevice.TryOpen(
            loop,
            new FileOpenOptions { Path = PartialPath, CreateBytes = sizeBytes },
            out device
        );
        if (!refusal.IsNone)
            return new OpenRefusal(refusal.Fault, $"{refusal.Sentence}; {Hint(refusal.Fault)}");
        LimitMode(source);
        return default;
    }

    /// <summary>Takes back what TryOpen made, for a job that is refused before it starts.</summary>
    public void Undo()
    {
        if (PartialPath != null)
            File.Delete(PartialPath);
    }

    /// <summary>Gives a finished and flushed copy its name, and makes the name durable.</summary>
    /// <returns>Null, or why the copy still has its other name.</returns>
    public string? TryPublish()
    {
        if (PartialPath == null)
            return null;
        if (!_mayReplace && System.IO.Path.Exists(Path))
            return $"the copy is whole, but '{Path}' has appeared meanwhile; rename '{PartialPath}' yourself";
        if (Files.Rename(PartialPath, Path) < 0)
            return $"the copy is whole, but '{PartialPath}' cannot be renamed to '{Path}': {LastFault()}";
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(Path))!;
        int fd = Files.Open(folder, Files.O_RDONLY | Files.O_CLOEXEC, 0);
        if (fd < 0)
            return $"the copy is whole, but folder '{folder}' cannot be flushed: {LastFault()}";
        bool isFlushed = Files.Fsync(fd) == 0;
        Fault fault = isFlushed ? Fault.None : LastFault();
        _ = Files.Close(fd);
        // A file system without directory flushes (EINVAL) has its own way to keep names.
        return isFlushed || fault.Errno == Errnos.EINVAL
            ? null
            : $"the copy is whole, but folder '{folder}' cannot be flushed: {fault}";
    }

    /// <summary>What a person can do about an error of the target's place.</summary>
    public static string Hint(Fault fault) =>
        fault.Errno switch
        {
            Errnos.ENOENT => "the target's folder must exist",
            Errnos.ENOTDIR => "a part of the path is no folder",
            Errnos.EACCES or Errnos.EPERM => "the target's folder must be writable by this user",
            Errnos.EROFS => "choose a target on a writable file system",
            Errnos.EFBIG => "the target's file system cannot hold a file of this size",
            Errnos.ENOSPC or Errnos.EDQUOT => "free space there or choose another target",
            NameTooLong => "the name is too long: TARGET may have 247 bytes",
            TooManyLinks => "its symbolic links lead in a circle",
            _ => "choose another target",
        };

    static OpenRefusal TryPlanPartial(FileDevice source, string path, bool isForced, out BackupTarget? target)
    {
        target = null;
        string partial = path + PartialEnding;
        Fault fault = PathLook.TryLook(partial, out PathLook leftover);
        if (fault.IsFault)
            return new OpenRefusal(fault, $"cannot look at '{partial}': {fault}; {Hint(fault)}");
        if (leftover.Kind == PathKind.File && leftover.Identity == source.Identity)
            return Refuse($"the copy would be written to '{partial}', which is the source; give another target");
        if (leftover.Kind is not (PathKind.Missing or PathKind.File))
            return Refuse($"the copy would be written to '{partial}', which is no regular file; remove it first");
        if (leftover.Kind == PathKind.File && !isForced)
            return Refuse($"'{partial}' is left from an unfinished backup; remove it, or give --force to replace it");
        target = new BackupTarget(path, isBlockDevice: false, leftover.Kind == PathKind.File, isForced);
        return default;
    }

    /// <summary>A disk holds secrets: its copy is readable by nobody who could not read the disk.</summary>
    void LimitMode(FileDevice source)
    {
        const UnixFileMode mine = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            UnixFileMode mode = source.IsBlockDevice ? mine : File.GetUnixFileMode(source.Name) | mine;
            File.SetUnixFileMode(PartialPath!, mode & File.GetUnixFileMode(PartialPath!));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A file system without modes (FAT) has no secrets to keep from its users.
        }
    }

    /// <summary>Only one that nobody is writing: the lock tells.</summary>
    OpenRefusal RemoveLeftover()
    {
        int fd = Files.Open(PartialPath!, Files.O_RDWR | Files.O_CLOEXEC, 0);
        if (fd < 0)
            return RefuseLast("replace");
        OpenRefusal refusal = default;
        if (Files.Flock(fd, Files.LOCK_EX | Files.LOCK_NB) < 0)
            refusal = Refuse($"another backup is writing '{PartialPath}' now; wait for it or give another target");
        else if (Files.Unlink(PartialPath!) < 0)
            refusal = RefuseLast("remove");
        _ = Files.Close(fd);
        return refusal;
    }

    OpenRefusal RefuseLast(string verb)
    {
        Fault fault = LastFault();
        return new OpenRefusal(fault, $"cannot {verb} '{PartialPath}': {fault}; {Hint(fault)}");
    }

    /// <returns>The path as it is, or where a link leads in the end, whether or not something is there.</returns>
    static string ResolveLinks(string path)
    {
        try
        {
            if (new FileInfo(path).LinkTarget == null)
                return path;
            // From the full path: a relative one is resolved against the root by .NET 10.0.
            string fullPath = System.IO.Path.GetFullPath(path);
            return File.ResolveLinkTarget(fullPath, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (IOException) // a circle of links: the look at the path will say so
        {
            return path;
        }
    }

    static Fault LastFault() => Errnos.ToFault(Marshal.GetLastPInvokeError());

    static OpenRefusal Refuse(string sentence) => new(new Fault(FaultKind.Invalid), sentence);
}
