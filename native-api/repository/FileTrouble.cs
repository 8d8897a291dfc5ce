// What an exception of a file says, in the words in which the engine says it: by the error of the system, not by the
// framework's text, which repeats the whole path, gives no name, and in the library is only the key of a text.
using System;
using System.IO;
using FastBackup.Base;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
static class FileTrouble
{
    /// <summary>The system's error, or 0 where none is known.</summary>
    /// <remarks>Source: Interop.IOErrors.cs of the runtime: which exception is made of which error.</remarks>
    public static int ErrnoOf(Exception exception) =>
        exception switch
        {
            _ when OperatingSystem.IsWindows() => 0,
            FileNotFoundException or DirectoryNotFoundException => Errnos.ENOENT,
            PathTooLongException => Errnos.ENAMETOOLONG,
            UnauthorizedAccessException { InnerException: IOException { HResult: > 0 } inner } => inner.HResult,
            UnauthorizedAccessException => Errnos.EACCES,
            IOException { HResult: > 0 } => exception.HResult,
            _ => 0,
        };

    /// <summary>For example "read-only file system (EROFS)"; no full stop.</summary>
    public static string Describe(Exception exception) =>
        ErrnoOf(exception) is > 0 and int errno ? Errnos.Describe(errno) : exception.Message.TrimEnd('.');
}
