// Says of a file that a job writes to it and has not ended well: an extended attribute, which goes where the file goes,
// and for people a file beside it, NAME.unfinished, which is the mark itself on file systems without attributes. It is
// durable before the job's first write, and taken away after the job's last flush.
//
// Its text is what makes the file whole again: "full", a copy of everything, or "bitmap" and a number, a copy of what
// that bitmap names; see DirtyBitmap.Serial. A job with a bitmap that finds another need than its own makes it "full".
// So a mark goes only when the file is whole: after any copy of everything, and after one by the very bitmap that has
// kept all that the unfinished job may have left half written.
//
// Not marked: block devices, files that have no name, and files where neither can be made (a read-only folder of a file
// system without attributes).
using System;
using System.Globalization;
using System.Text;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

public static class UnfinishedMark
{
    public const string AttributeName = "user.fastbackup.unfinished";
    public const string Ending = ".unfinished";

    /// <summary>A text: only a copy of everything makes the file whole.</summary>
    public const string NeedsAll = "full";

    /// <summary>For a serial: what the job makes is no disk, even if it ends well.</summary>
    public const ulong NeverWhole = ulong.MaxValue;

    const int TextBytesMax = 256;
    const uint OwnerOnly = 0x180; // 0600

    // Bitmaps live no longer than their process: the number of one means nothing in another.
    static readonly string s_process = SystemPort.Current.ProcessName;

    /// <summary>The attribute alone, for a file whose name tells as well. Not durable before a flush.</summary>
    /// <returns>0, or a negative error number: -EOPNOTSUPP where files have no attributes.</returns>
    public static int TryPut(NameCalls calls, int fd, string need) =>
        calls.WriteAttribute(fd, AttributeName, Encoding.UTF8.GetBytes(need));

    /// <summary>The attribute alone. Not durable before a flush of the file.</summary>
    /// <returns>0, also where there was none; else a negative error number.</returns>
    public static int TryTake(NameCalls calls, int fd) =>
        calls.RemoveAttribute(fd, AttributeName) is < 0 and not (-Errnos.ENODATA or -Errnos.EOPNOTSUPP) and var result
            ? result
            : 0;

    /// <summary>Whether an open file is marked, in either way.</summary>
    public static bool IsOn(NameCalls calls, int fd) => Read(calls, fd) != null;

    /// <summary>Marks a file before a job's first write, durably.</summary>
    /// <param name="calls">To the kernel.</param>
    /// <param name="fd">Open for writing.</param>
    /// <param name="bitmapSerial">Of the bitmap whose areas are copied; 0: everything is.</param>
    /// <returns>0, also for a file that cannot be marked; negative: an error number, nothing may be written.</returns>
    public static int Put(NameCalls calls, int fd, ulong bitmapSerial)
    {
        int result = calls.Look(fd, out NameLook look);
        if (result < 0 || look.LinkCount == 0 || !look.IsFile)
            return result;
        string need = NeedOf(bitmapSerial);
        string? now = Read(calls, fd);
        string text = now == null || now == need ? need : NeedsAll;
        if (now == text)
            return 0;
        result = TryPut(calls, fd, text);
        if (result == -Errnos.EOPNOTSUPP)
            return bitmapSerial == NeverWhole ? 0 : PutBeside(calls, fd, text);
        if (result >= 0)
            result = Settled(calls.Flush(fd));
        if (result >= 0 && bitmapSerial != NeverWhole)
            _ = PutBeside(calls, fd, text); // a note for people: the attribute is what counts
        return result;
    }

    /// <summary>Takes the mark away after a job's last flush, durably, if the job has made the file whole.</summary>
    /// <param name="calls">To the kernel.</param>
    /// <param name="fd">Open for writing.</param>
    /// <param name="bitmapSerial">As given to Put.</param>
    /// <returns>0, or a negative error number: the mark is there, or may be.</returns>
    public static int Take(NameCalls calls, int fd, ulong bitmapSerial)
    {
        Check.That(bitmapSerial != NeverWhole);
        string? now = Read(calls, fd);
        if (now == null || (bitmapSerial != 0 && now != NeedOf(bitmapSerial)))
            return 0;
        int result = TryTake(calls, fd);
        if (result >= 0)
            result = Settled(calls.Flush(fd));
        if (result < 0 || TryFindBeside(calls, fd, out FolderEntry? beside) < 0)
            return result;
        using (beside)
        {
            result = calls.Unlink(beside!.FolderFd, beside.Name);
            return result is < 0 and not -Errnos.ENOENT ? result
                : result < 0 ? 0
                : FlushFolder(calls, beside.FolderFd);
        }
    }

    static string NeedOf(ulong bitmapSerial) =>
        bitmapSerial is 0 or NeverWhole
            ? NeedsAll
            : string.Create(CultureInfo.InvariantCulture, $"bitmap {s_process}-{bitmapSerial}");

    static string? Read(NameCalls calls, int fd)
    {
        Span<byte> text = stackalloc byte[TextBytesMax];
        int lengthBytes = calls.ReadAttribute(fd, AttributeName, text);
        if (lengthBytes == -Errnos.EOPNOTSUPP && TryFindBeside(calls, fd, out FolderEntry? beside) >= 0)
        {
            int file = calls.Open(
                beside!.FolderFd,
                beside.Name,
                Files.O_RDONLY | Files.O_NONBLOCK | Folders.O_NOFOLLOW
            );
            lengthBytes = file < 0 ? file : calls.ReadText(file, text);
            NameCalls.Close(file);
            beside.Dispose();
        }
        return lengthBytes < 0 ? null : Encoding.UTF8.GetString(text[..lengthBytes]);
    }

    static int PutBeside(NameCalls calls, int fd, string text)
    {
        int found = TryFindBeside(calls, fd, out FolderEntry? beside);
        if (found < 0)
            return OrNoPlace(found);
        using FolderEntry entry = beside!;
        const int flags = Files.O_RDWR | Files.O_CREAT;
        int file = calls.Open(entry.FolderFd, entry.Name, flags | Folders.O_NOFOLLOW, OwnerOnly);
        if (file < 0)
            return OrNoPlace(file);
        int result = calls.WriteText(file, Encoding.UTF8.GetBytes(text));
        if (result >= 0)
            result = Settled(calls.Flush(file));
        NameCalls.Close(file);
        return result < 0 ? result : FlushFolder(calls, entry.FolderFd);
    }

    /// <summary>Trouble stays; where files cannot be made at all there is no place for a mark.</summary>
    static int OrNoPlace(int result) => result is -Errnos.ENOSPC or -Errnos.EDQUOT or -Errnos.EIO ? result : 0;

    /// <summary>The name beside an open file, by the name that the file has now.</summary>
    static int TryFindBeside(NameCalls calls, int fd, out FolderEntry? beside)
    {
        beside = null;
        int result = calls.Look(fd, out NameLook look);
        if (result >= 0)
            result = calls.PathOf(fd, out string path) is < 0 and var errno
                ? errno
                : TryEnter(calls, path, look, out beside);
        return result;
    }

    static int TryEnter(NameCalls calls, string path, in NameLook look, out FolderEntry? beside)
    {
        Fault fault = FolderEntry.TryResolve(calls, path + Ending, out beside);
        if (fault.IsFault)
            return -fault.Errno;
        string name = System.IO.Path.GetFileName(path);
        int result = calls.Look(beside!.FolderFd, name, out NameLook named);
        if (result >= 0 && named.Identity == look.Identity)
            return 0;
        beside.Dispose();
        beside = null;
        return result < 0 ? result : -Errnos.ENOENT; // renamed this moment, or without a name
    }

    static int FlushFolder(NameCalls calls, int folderFd)
    {
        int fd = calls.Open(folderFd, ".", Files.O_RDONLY | Files.O_DIRECTORY);
        int result = fd < 0 ? 0 : Settled(calls.Flush(fd));
        NameCalls.Close(fd);
        return result;
    }

    /// <summary>A file system that has nothing to flush (EINVAL) has its own way to keep things.</summary>
    static int Settled(int flushed) => flushed == -Errnos.EINVAL ? 0 : flushed;
}
