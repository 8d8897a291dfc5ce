// The kernel's error numbers that the engine meets: their classes and their words.
// Source: errno(3); the numbers are those of Linux on x86-64 and arm64.
using System.Globalization;

namespace FastBackup.Base;

public static class Errnos
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int EBADF = 9;
    public const int EAGAIN = 11;
    public const int ENOMEM = 12;
    public const int EACCES = 13;
    public const int EBUSY = 16;
    public const int EEXIST = 17;
    public const int EXDEV = 18;
    public const int ENODEV = 19;
    public const int ENOTDIR = 20;
    public const int EISDIR = 21;
    public const int EINVAL = 22;
    public const int ENOTTY = 25;
    public const int ETXTBSY = 26;
    public const int EFBIG = 27;
    public const int ENOSPC = 28;
    public const int EROFS = 30;
    public const int EMLINK = 31;
    public const int EPIPE = 32;
    public const int ENAMETOOLONG = 36;
    public const int ENOSYS = 38;
    public const int ELOOP = 40;
    public const int ENODATA = 61;
    public const int ETIME = 62;
    public const int EOPNOTSUPP = 95;
    public const int EPROTO = 71;
    public const int EILSEQ = 84;
    public const int ESHUTDOWN = 108;
    public const int ETIMEDOUT = 110;
    public const int ESTALE = 116;
    public const int EDQUOT = 122;
    public const int ECANCELED = 125;
    public const int ENXIO = 6;
    public const int EADDRINUSE = 98;
    public const int EADDRNOTAVAIL = 99;
    public const int ENETUNREACH = 101;
    public const int EHOSTUNREACH = 113;
    public const int ECONNRESET = 104;
    public const int ECONNREFUSED = 111;
    public const int EINPROGRESS = 115;

    /// <summary>The class of a positive error number; unknown ones are <see cref="FaultKind.Io"/>.</summary>
    public static FaultKind Classify(int errno) =>
        errno switch
        {
            0 => FaultKind.None,
            ENOSPC or EDQUOT => FaultKind.NoSpace,
            ENOMEM => FaultKind.NoMemory,
            ENOSYS or EOPNOTSUPP => FaultKind.Unsupported,
            ECANCELED => FaultKind.Canceled,
            ETIMEDOUT or ETIME => FaultKind.TimedOut,
            _ => FaultKind.Io,
        };

    public static Fault ToFault(int errno, ulong offsetBytes = Fault.NoOffset) =>
        new(Classify(errno), errno, offsetBytes);

    /// <summary>Words and name, for example "no space left on device (ENOSPC)".</summary>
    public static string Describe(int errno) =>
        errno switch
        {
            EPERM => "operation not permitted (EPERM)",
            ENOENT => "no such file or directory (ENOENT)",
            EINTR => "interrupted (EINTR)",
            EIO => "input/output error (EIO)",
            ENXIO => "no such device or address (ENXIO)",
            EBADF => "bad file descriptor (EBADF)",
            EAGAIN => "resource temporarily unavailable (EAGAIN)",
            ENOMEM => "out of memory (ENOMEM)",
            EACCES => "permission denied (EACCES)",
            EBUSY => "device or resource busy (EBUSY)",
            EEXIST => "file exists (EEXIST)",
            EXDEV => "on another file system (EXDEV)",
            ENODEV => "no such device (ENODEV)",
            ENOTDIR => "not a directory (ENOTDIR)",
            EISDIR => "is a directory (EISDIR)",
            EINVAL => "invalid argument (EINVAL)",
            ENOTTY => "not a device that answers this request (ENOTTY)",
            ETXTBSY => "file in use as a program or swap (ETXTBSY)",
            EFBIG => "file too large (EFBIG)",
            ENOSPC => "no space left on device (ENOSPC)",
            EROFS => "read-only file system (EROFS)",
            EMLINK => "too many links (EMLINK)",
            EPIPE => "broken pipe (EPIPE)",
            ENAMETOOLONG => "file name too long (ENAMETOOLONG)",
            ENOSYS => "system call not available (ENOSYS)",
            ELOOP => "too many symbolic links (ELOOP)",
            ENODATA => "no such attribute (ENODATA)",
            EOPNOTSUPP => "operation not supported (EOPNOTSUPP)",
            EPROTO => "the server breaks the protocol (EPROTO)",
            EILSEQ => "not a name in UTF-8 (EILSEQ)",
            ESHUTDOWN => "the other side is shutting down (ESHUTDOWN)",
            ETIMEDOUT or ETIME => "timed out",
            ESTALE => "left from an earlier use (ESTALE)",
            EDQUOT => "disk quota exceeded (EDQUOT)",
            ECANCELED => "cancelled (ECANCELED)",
            EADDRINUSE => "address in use (EADDRINUSE)",
            EADDRNOTAVAIL => "not an address of this machine (EADDRNOTAVAIL)",
            ENETUNREACH => "network unreachable (ENETUNREACH)",
            EHOSTUNREACH => "no route to the host (EHOSTUNREACH)",
            ECONNRESET => "connection reset by the other side (ECONNRESET)",
            ECONNREFUSED => "connection refused (ECONNREFUSED)",
            EINPROGRESS => "connection under way (EINPROGRESS)",
            _ => string.Create(CultureInfo.InvariantCulture, $"error {errno}"),
        };
}
