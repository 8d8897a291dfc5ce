// A name in a folder that is held open, so that whoever looks at it, makes it and renames it means the same folder,
// whatever becomes of the folder's own path meanwhile. Symbolic links of the last name are followed first, one by one,
// each from the folder in which it lies; those in the middle of a path are the kernel's.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: one at a time.</summary>
public sealed class FolderEntry : IDisposable
{
    const int LinksMax = 40; // as the kernel. Source: path_resolution(7)

    FolderEntry(int folderFd, string name, string path) => (FolderFd, Name, Path) = (folderFd, name, path);

    /// <summary>Opened with O_PATH: for names in it, not for a flush.</summary>
    public int FolderFd { get; }

    /// <summary>In the folder; no slash in it.</summary>
    public string Name { get; }

    /// <summary>For people: where the links lead.</summary>
    public string Path { get; }

    /// <param name="calls">To the kernel.</param>
    /// <param name="path">Not empty.</param>
    /// <param name="entry">Null after a fault. Owner: the caller.</param>
    /// <returns>None; else why the folder cannot be opened. Whether something lies under the name is not
    /// asked.</returns>
    public static Fault TryResolve(NameCalls calls, string path, out FolderEntry? entry)
    {
        entry = null;
        int folderFd = Files.AT_FDCWD;
        string shown = path;
        string rest = path;
        for (int linkCount = 0; linkCount <= LinksMax; linkCount++)
        {
            string name = System.IO.Path.GetFileName(rest);
            if (name.Length == 0 || name is "." or "..")
                return CloseAndFail(folderFd, Errnos.EISDIR);
            string folder = rest.Length == name.Length ? "." : rest[..^name.Length];
            int next = calls.Open(folderFd, folder, Files.O_PATH | Files.O_DIRECTORY);
            NameCalls.Close(folderFd);
            if (next < 0)
                return Errnos.ToFault(-next);
            folderFd = next;
            Fault fault = NameLook.TryTake(calls, folderFd, name, out NameLook look);
            if (fault.IsFault)
                return CloseAndFail(folderFd, fault.Errno);
            if (!look.IsLink)
            {
                entry = new FolderEntry(folderFd, name, shown);
                return Fault.None;
            }
            int result = calls.ReadLink(folderFd, name, out rest);
            if (result <= 0)
                return CloseAndFail(folderFd, result == 0 ? Errnos.ENOENT : -result);
            shown = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(shown) ?? "", rest);
        }
        return CloseAndFail(folderFd, Errnos.ELOOP);
    }

    public void Dispose() => NameCalls.Close(FolderFd);

    static Fault CloseAndFail(int fd, int errno)
    {
        NameCalls.Close(fd);
        return Errnos.ToFault(errno);
    }
}
