// The name of a file that is open: taken away only if it still is this file's, whatever has become of the path since.
// Between the look and the removal is a gap that no system call closes; the folder is held, so it is one of names only.
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: any, that may wait.</summary>
public static class NamedFile
{
    /// <param name="path">Under which the file was opened or made.</param>
    /// <param name="fd">Of the file.</param>
    /// <returns>None; State: the name is another file's by now, and stays.</returns>
    public static Fault Remove(string path, int fd)
    {
        NameCalls calls = NameCalls.Kernel;
        Fault fault = FolderEntry.TryResolve(calls, path, out FolderEntry? entry);
        if (fault.IsFault)
            return fault;
        using (entry)
        {
            int result = calls.Look(fd, out NameLook own);
            if (result >= 0)
                result =
                    calls.Look(entry!.FolderFd, entry.Name, out NameLook named) is < 0 and var errno ? errno
                    : named.Identity == own.Identity ? calls.Unlink(entry.FolderFd, entry.Name)
                    : -Errnos.ESTALE;
            return result == -Errnos.ESTALE ? new Fault(FaultKind.State, Errnos.ESTALE)
                : result < 0 ? Errnos.ToFault(-result)
                : Fault.None;
        }
    }

    /// <summary>The names in the folder of a path are durable.</summary>
    public static Fault FlushFolder(string path)
    {
        NameCalls calls = NameCalls.Kernel;
        Fault fault = FolderEntry.TryResolve(calls, path, out FolderEntry? entry);
        if (fault.IsFault)
            return fault;
        using (entry)
        {
            int fd = calls.Open(entry!.FolderFd, ".", Files.O_RDONLY | Files.O_DIRECTORY);
            int result = fd < 0 ? fd : calls.Flush(fd);
            NameCalls.Close(fd);
            return result < 0 ? Errnos.ToFault(-result) : Fault.None;
        }
    }
}
