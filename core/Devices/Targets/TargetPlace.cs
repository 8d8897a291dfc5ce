// Where a copy is written, so that an unfinished one never looks whole:
//
//   file            written as TARGET.partial beside it, and gets its name after the final flush; until then an
//                   existing TARGET is untouched. A symbolic link is followed first, so the link stays.
//   block device    written in place: there is no name to give
//
// Every refusal comes before the first change. MayReplace permits three things: to replace an existing file, to replace
// the TARGET.partial of an earlier run, and to overwrite a block device. Neither file is replaced while a program
// holds its lock. The source itself is never a target, nor a left-over partial.
//
// Names may change hands at any moment: another run, a person, somebody who may write to the folder. So the folder is
// held open, names are looked at in it without following links, and what is changed is changed through the descriptor
// of the file that this run has made. A name is taken away only when the file under it was just seen to be ours; the
// kernel has no call that does both at once, so who puts his own file under our partial name in that moment can lose
// it.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Targets;

/// <summary>Threads: one at a time. Blocks for as long as the file system does.</summary>
public sealed partial class TargetPlace : IDisposable
{
    public const string PartialEnding = ".partial";

    readonly NameCalls _calls;
    readonly TargetOptions _options;
    readonly FolderEntry _entry;
    readonly List<string> _words = [];
    readonly ReplacedFile _replaced;
    int _fd = -1; // of our own file
    FileIdentity _ours;
    bool _isPublished;
    bool _isLeftoverEmpty;

    TargetPlace(NameCalls calls, TargetOptions options, FolderEntry entry, bool isBlockDevice)
    {
        (_calls, _options, _entry) = (calls, options, entry);
        _replaced = new ReplacedFile(calls, options, entry);
        PartialPath = isBlockDevice ? null : entry.Path + PartialEnding;
    }

    /// <summary>The file or device in the end; links are resolved.</summary>
    public string Path => _entry.Path;

    /// <summary>The file written meanwhile; null for a block device.</summary>
    public string? PartialPath { get; }

    /// <summary>
    /// A partial lies there that an earlier run has left: it is marked, as long as the disk, or empty, and
    /// nobody writes it.
    /// </summary>
    public bool HasLeftover { get; private set; }

    /// <summary>That partial is what will be written, or the block device that an earlier run has begun to write.
    /// </summary>
    public bool IsResumed { get; private set; }

    /// <summary>A sentence when the folder may not be the one that was meant; else null.</summary>
    public string? PlaceWarning { get; private set; }

    /// <summary>What could not be done as it should, though the copy is well: sentences for people.</summary>
    public IReadOnlyList<string> Words => _words;

    string PartialName => _entry.Name + PartialEnding;

    /// <summary>Looks and refuses; changes nothing.</summary>
    /// <param name="calls">To the kernel.</param>
    /// <param name="options">What is wanted.</param>
    /// <param name="place">What to write to, or null when refused. Owner: the caller.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryPlan(NameCalls calls, TargetOptions options, out TargetPlace? place)
    {
        place = null;
        string given = options.Path;
        if (given.Length == 0 || System.IO.Path.EndsInDirectorySeparator(given))
            return Refuse($"target '{given}' names no file; give a file name or a block device");
        if (System.IO.Path.GetFileName(given).Length == 0) // \\.\X: and the like
            return Refuse($"target '{given}' is a volume or drive, which is no target; give the name of a file");
        Fault fault = FolderEntry.TryResolve(calls, given, out FolderEntry? entry);
        if (fault.Errno == Errnos.EISDIR)
            return Refuse($"target '{given}' is a directory; give the name of a file in it");
        if (fault.IsFault)
            return new OpenRefusal(fault, $"cannot look at target '{given}': {fault}; {Hint(fault)}");
        fault = NameLook.TryTake(calls, entry!.FolderFd, entry.Name, out NameLook look);
        TargetPlace made = new(calls, options, entry, look.Type == Files.S_IFBLK);
        OpenRefusal refusal = fault.IsFault
            ? new OpenRefusal(fault, $"cannot look at target '{given}': {fault}; {Hint(fault)}")
            : made.Plan(look);
        if (refusal.IsNone)
            place = made;
        else
            made.Dispose();
        return refusal;
    }

    /// <summary>Whether this process may make a name in the target's folder: for those who look long before.</summary>
    public OpenRefusal CheckFolder()
    {
        int result = PartialPath == null ? 0 : _calls.MayWrite(_entry.FolderFd);
        return result < 0 ? Explain("create", PartialPath!, -result) : default;
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
            Errnos.ENAMETOOLONG => "the name is too long: TARGET may have 247 bytes",
            Errnos.EILSEQ => "a symbolic link leads to a name that is not UTF-8; rename that file",
            Errnos.ELOOP => "its symbolic links lead in a circle",
            _ => "choose another target",
        };

    public void Dispose()
    {
        NameCalls.Close(_fd);
        _fd = -1;
        _replaced.Dispose();
        _entry.Dispose();
    }

    /// <summary>Gives a finished and flushed copy its name, and makes the name durable.</summary>
    /// <returns>None; else why the name is not there, or not durable. The copy itself is whole.</returns>
    public OpenRefusal TryPublish()
    {
        if (PartialPath == null || _isPublished)
            return default;
        Check.That(_fd >= 0);
        Publication publication = new(_calls, _entry, PartialPath, _fd, _ours, _options.MayReplace, _replaced, _words);
        OpenRefusal refusal = publication.Run();
        _isPublished = publication.HasName;
        return refusal;
    }

    OpenRefusal Plan(in NameLook look)
    {
        string given = _options.Path;
        switch (look.Type)
        {
            case 0:
                return PlanPartial();
            case Files.S_IFDIR:
                return Refuse($"target '{given}' is a directory; give the name of a file in it");
            case Files.S_IFBLK:
                return PlanBlockDevice();
            case Files.S_IFREG:
                break;
            default:
                return Refuse($"target '{given}' is neither a regular file nor a block device");
        }
        if (look.Identity == _options.Source)
            return RefuseSource(_options);
        if (_options.SourceStorage?.Shares(StorageKin.OfFile(look.Identity)) == true)
            return RefuseKin();
        if (!_options.MayReplace)
            return Exists($"target '{given}' exists; give another name, or {_options.ReplaceWord} to replace it");
        OpenRefusal refusal = _replaced.Hold();
        return refusal.IsNone ? PlanPartial() : refusal;
    }

    OpenRefusal PlanBlockDevice()
    {
        string given = _options.Path;
        int fd = _calls.Open(_entry.FolderFd, _entry.Name, Files.O_RDONLY | Files.O_NONBLOCK | Folders.O_NOFOLLOW);
        if (fd < 0)
            return Explain("look at target", given, -fd);
        Fault fault = StorageKin.TryGet(fd, out StorageKin? kin);
        NameCalls.Close(fd);
        if (fault.IsFault)
            return Explain("look at target", given, fault.Errno);
        if (kin!.Identity == _options.Source)
            return RefuseSource(_options);
        if (_options.SourceStorage?.Shares(kin) == true)
            return RefuseKin();
        IsResumed = _options.MayResume;
        return _options.MayReplace || IsResumed
            ? default
            : Exists($"target '{given}' is a block device; give {_options.ReplaceWord} to overwrite what is on it");
    }

    OpenRefusal PlanPartial()
    {
        OpenRefusal place = DiskFiles.Current.CheckPlace(_entry.FolderFd, _options.Path);
        if (!place.IsNone)
            return place with { Sentence = $"target {place.Sentence}" };
        if (DiskFiles.Current.FindUnmounted(_entry.FolderFd) is { } point)
            PlaceWarning =
                $"'{point}' is in /etc/fstab but nothing is mounted there: the copy lands on what lies below";
        Fault fault = NameLook.TryTake(_calls, _entry.FolderFd, PartialName, out NameLook leftover);
        if (fault.IsFault)
            return Explain("look at", PartialPath!, fault.Errno);
        if (leftover.IsNothing)
            return default;
        if (leftover.Identity == _options.Source)
            return Refuse($"the copy would be written to '{PartialPath}', which is the source; give another target");
        if (leftover.IsFile && _options.SourceStorage?.Shares(StorageKin.OfFile(leftover.Identity)) == true)
            return Refuse(
                $"the copy would be written to '{PartialPath}', which is a part of the source; give another target"
            );
        if (!leftover.IsFile)
            return Refuse($"the copy would be written to '{PartialPath}', which is no regular file; remove it first");
        OpenRefusal refusal = TryOpenLeftover(Files.O_RDONLY, out int fd);
        if (refusal.IsNone && fd < 0)
            return default; // gone meanwhile
        // Empty: of a run that was killed at once.
        bool hasRunsSize = leftover.SizeBytes == 0 || leftover.SizeBytes == _options.SizeBytes;
        HasLeftover = refusal.IsNone && (hasRunsSize || UnfinishedMark.IsOn(_calls, fd));
        NameCalls.Close(fd);
        IsResumed = HasLeftover && _options.MayResume && leftover.SizeBytes == _options.SizeBytes;
        _isLeftoverEmpty = HasLeftover && leftover.SizeBytes == 0;
        if (!refusal.IsNone || _options.MayReplace || IsResumed || (_isLeftoverEmpty && _options.MayResume))
            return refusal;
        string resume = _options.ResumeWord is { } word && !_options.MayResume ? $"give {word} to go on with it, " : "";
        string sentence =
            $"'{PartialPath}' is left from an unfinished backup; "
            + $"{resume}remove it, or give {_options.ReplaceWord} to replace it";
        return HasLeftover ? new OpenRefusal(new Fault(FaultKind.State, Errnos.ESTALE), sentence) : Exists(sentence);
    }

    internal static OpenRefusal ExplainFormat(TargetOptions options, in OpenRefusal refusal) =>
        refusal with
        {
            Sentence = $"target {refusal.Sentence}: {options.RawWord}",
        };

    internal static string UseHint(TargetOptions options) =>
        $"; end that first, give another target, or {options.IgnoreWord}";

    OpenRefusal RefuseKin() =>
        Refuse(
            $"target '{_options.Path}' and the source '{_options.SourceName}' are parts of each other; "
                + "give another target"
        );

    internal static OpenRefusal RefuseSource(TargetOptions options) =>
        Refuse($"target '{options.Path}' is the source itself ('{options.SourceName}'); give another target");

    internal static OpenRefusal Explain(string verb, string path, int errno)
    {
        Fault fault = Errnos.ToFault(errno);
        return new OpenRefusal(fault, $"cannot {verb} '{path}': {fault}; {Hint(fault)}");
    }

    /// <summary>What another answer of the person would allow.</summary>
    static OpenRefusal Exists(string sentence) => new(new Fault(FaultKind.State, Errnos.EEXIST), sentence);

    static OpenRefusal Refuse(string sentence) => OpenRefusal.Rule(sentence);
}
