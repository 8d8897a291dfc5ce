// Who in this process uses which image, so that the locks on it (ImageLockFile), which tell other programs, do not
// fight among themselves: an image that is opened twice has one descriptor for its locks and one account of them.
//
//   a writer   is refused while another program writes, or lets nobody write; and beside a writer in this process
//   a reader   is told of a writer in another program, and lets nobody begin to write meanwhile where there was none
//
// Locks are advice: programs that ask for none are not seen. Costs a descriptor an image and some ten system calls an
// opening. No call is made under the gate of all images: a file system that does not answer holds up only its own.
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Devices.Opening;

/// <summary>Threads: any.</summary>
static class ImageLocks
{
    static readonly Lock s_gate = new();
    static readonly Dictionary<(uint Major, uint Minor, ulong Inode), ImageLockFile> s_files = []; // under the gate

    /// <summary>Asks, and sets what this opening needs.</summary>
    /// <param name="fd">Of the image; stays open as long as the hold.</param>
    /// <param name="status">Of the image.</param>
    /// <param name="isWriter">Whether it will be written.</param>
    /// <param name="hold">To be given back; null when refused.</param>
    /// <returns>Whether it is free; a reader gets its hold in either case.</returns>
    public static ImageUse Take(int fd, in Statx status, bool isWriter, out ImageHold? hold)
    {
        (uint, uint, ulong) key = (status.DevMajor, status.DevMinor, status.Inode);
        ImageLockFile? file;
        lock (s_gate)
        {
            if (!s_files.TryGetValue(key, out file))
                s_files.Add(key, file = new ImageLockFile(key, (status.Mode & Files.S_IFMT) == Files.S_IFBLK));
            file.UserCount++;
        }
        ImageUse use = file.Take(fd, isWriter, out hold);
        if (hold == null)
            Leave(file);
        file.Settle();
        return use;
    }

    public static void Return(ImageLockFile file, ImageHold hold)
    {
        bool isLast;
        lock (s_gate)
            isLast = IsLast(file);
        if (isLast) // that takes all locks away
        {
            file.Close();
            return;
        }
        file.Release(hold);
        Leave(file);
    }

    static void Leave(ImageLockFile file)
    {
        bool isLast;
        lock (s_gate)
        {
            isLast = IsLast(file);
            file.UserCount -= isLast ? 0 : 1;
        }
        if (isLast)
            file.Close();
    }

    /// <summary>Under the gate. The last user's file is nobody's any more: the next opening has another.</summary>
    static bool IsLast(ImageLockFile file)
    {
        Check.That(file.UserCount > 0);
        if (file.UserCount > 1)
            return false;
        return s_files.Remove(file.Key);
    }
}
