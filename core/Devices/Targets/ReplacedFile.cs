// The file that a copy will replace: held open with its locks from the plan on, so that nobody writes to what is about
// to go, and its owner, mode and attributes can be taken over.
using System;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Targets;

/// <summary>Threads: one at a time. Blocks for as long as the file system does.</summary>
/// <param name="calls">To the kernel.</param>
/// <param name="options">What is wanted.</param>
/// <param name="entry">Its name in its folder.</param>
sealed class ReplacedFile(NameCalls calls, TargetOptions options, FolderEntry entry) : IDisposable
{
    FileReservation? _reservation; // against programs that lock as QEMU does

    /// <summary>With its lock; below 0 until it is held.</summary>
    public int Fd { get; private set; } = -1;

    public bool IsHeld => Fd >= 0;

    /// <summary>Of the file that is held.</summary>
    public FileIdentity Identity { get; private set; }

    public void Dispose()
    {
        NameCalls.Close(Fd);
        _reservation?.Dispose();
        (Fd, _reservation) = (-1, null);
    }

    /// <summary>Keeps the file that is to be replaced from being written until it is.</summary>
    public OpenRefusal Hold()
    {
        NameCalls.Close(Fd);
        Fd = calls.Open(entry.FolderFd, entry.Name, Files.O_RDONLY | Files.O_NONBLOCK | Folders.O_NOFOLLOW);
        bool isReadable = Fd >= 0;
        if (Fd == -Errnos.EACCES) // nobody's lock can be seen then, but its owner and mode can be kept
            Fd = calls.Open(entry.FolderFd, entry.Name, Files.O_PATH | Folders.O_NOFOLLOW);
        if (Fd < 0)
            return TargetPlace.Explain("look at target", options.Path, -Fd);
        int result = calls.Look(Fd, out NameLook look);
        if (result < 0 || !look.IsFile)
            return TargetPlace.Explain("look at target", options.Path, result < 0 ? -result : Errnos.EEXIST);
        Identity = look.Identity;
        if (Identity == options.Source)
            return TargetPlace.RefuseSource(options);
        // Those who only read it are not in the way: they keep what they have open.
        if (!isReadable)
            return default;
        if (!options.IsLockIgnored && calls.Lock(Fd, Files.LOCK_SH | Files.LOCK_NB) == -Errnos.EAGAIN)
            return OpenRefusal.InUse(
                $"target '{options.Path}' is being written or served by another program that holds its lock"
                    + TargetPlace.UseHint(options)
            );
        _reservation?.Dispose();
        OpenRefusal refusal = FileReservation.TryTake(Fd, options, out _reservation);
        return refusal.IsNone ? default
            : refusal.Fault.Errno == Errnos.EBUSY
                ? refusal with
                {
                    Sentence = $"target {refusal.Sentence}{TargetPlace.UseHint(options)}",
                }
            : TargetPlace.ExplainFormat(options, refusal);
    }
}
