// Errors of Windows as the engine's own numbers, in one place, so that every rule and word that follows from one is the
// same on all systems. What is not named here is an input/output error.
// Source: winerror.h, ntstatus.h, winsock2.h; WriteFile, "Remarks", on requests that the system has no room for at the
// moment.
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Windows;

namespace FastBackup.Ports.Windows;

public static class WindowsFault
{
    /// <summary>Of an error number of kernel32; 0 is 0.</summary>
    public static int ToErrno(uint error) =>
        error switch
        {
            0 => 0,
            WindowsErrors.ERROR_FILE_NOT_FOUND
            or WindowsErrors.ERROR_PATH_NOT_FOUND
            or WindowsErrors.ERROR_INVALID_DRIVE
            or WindowsErrors.ERROR_BAD_NETPATH
            or WindowsErrors.ERROR_BAD_NET_NAME
            or WindowsErrors.ERROR_BAD_PATHNAME => Errnos.ENOENT,
            WindowsErrors.ERROR_ACCESS_DENIED or WindowsErrors.WSAEACCES => Errnos.EACCES,
            WindowsErrors.ERROR_PRIVILEGE_NOT_HELD => Errnos.EPERM,
            WindowsErrors.ERROR_INVALID_HANDLE => Errnos.EBADF,
            WindowsErrors.ERROR_TOO_MANY_OPEN_FILES
            or WindowsErrors.ERROR_NOT_ENOUGH_MEMORY
            or WindowsErrors.ERROR_OUTOFMEMORY
            or WindowsErrors.ERROR_COMMITMENT_LIMIT
            or WindowsErrors.WSAEMFILE
            or WindowsErrors.WSAENOBUFS => Errnos.ENOMEM,
            WindowsErrors.ERROR_WRITE_PROTECT => Errnos.EROFS,
            WindowsErrors.ERROR_NOT_READY => Errnos.ENXIO,
            WindowsErrors.ERROR_SHARING_VIOLATION
            or WindowsErrors.ERROR_LOCK_VIOLATION
            or WindowsErrors.ERROR_BUSY
            or WindowsErrors.ERROR_DELETE_PENDING => Errnos.EBUSY,
            WindowsErrors.ERROR_HANDLE_DISK_FULL or WindowsErrors.ERROR_DISK_FULL => Errnos.ENOSPC,
            WindowsErrors.ERROR_DISK_QUOTA_EXCEEDED => Errnos.EDQUOT,
            WindowsErrors.ERROR_INVALID_FUNCTION
            or WindowsErrors.ERROR_NOT_SUPPORTED
            or WindowsErrors.ERROR_CALL_NOT_IMPLEMENTED
            or WindowsErrors.WSAEAFNOSUPPORT => Errnos.EOPNOTSUPP,
            WindowsErrors.ERROR_FILE_EXISTS or WindowsErrors.ERROR_ALREADY_EXISTS => Errnos.EEXIST,
            WindowsErrors.ERROR_NOT_SAME_DEVICE => Errnos.EXDEV,
            WindowsErrors.ERROR_DIRECTORY => Errnos.ENOTDIR,
            WindowsErrors.ERROR_INVALID_PARAMETER or WindowsErrors.ERROR_INVALID_NAME or WindowsErrors.WSAEINVAL =>
                Errnos.EINVAL,
            WindowsErrors.ERROR_FILENAME_EXCED_RANGE => Errnos.ENAMETOOLONG,
            WindowsErrors.ERROR_FILE_TOO_LARGE => Errnos.EFBIG,
            WindowsErrors.ERROR_SEM_TIMEOUT or WindowsErrors.ERROR_TIMEOUT or WindowsErrors.WSAETIMEDOUT =>
                Errnos.ETIMEDOUT,
            WindowsErrors.WSAEADDRINUSE => Errnos.EADDRINUSE,
            WindowsErrors.WSAEADDRNOTAVAIL => Errnos.EADDRNOTAVAIL,
            WindowsErrors.ERROR_NETWORK_UNREACHABLE or WindowsErrors.WSAENETUNREACH => Errnos.ENETUNREACH,
            WindowsErrors.ERROR_HOST_UNREACHABLE or WindowsErrors.WSAEHOSTUNREACH => Errnos.EHOSTUNREACH,
            WindowsErrors.ERROR_CONNECTION_REFUSED or WindowsErrors.WSAECONNREFUSED => Errnos.ECONNREFUSED,
            WindowsErrors.ERROR_NETNAME_DELETED
            or WindowsErrors.ERROR_CONNECTION_ABORTED
            or WindowsErrors.WSAECONNABORTED
            or WindowsErrors.WSAECONNRESET => Errnos.ECONNRESET,
            WindowsErrors.ERROR_OPERATION_ABORTED => Errnos.ECANCELED,
            WindowsErrors.ERROR_RETRY
            or WindowsErrors.ERROR_NO_SYSTEM_RESOURCES
            or WindowsErrors.ERROR_WORKING_SET_QUOTA
            or WindowsErrors.ERROR_INVALID_USER_BUFFER
            or WindowsErrors.ERROR_NOT_ENOUGH_QUOTA => Errnos.EAGAIN,
            WindowsErrors.ERROR_BROKEN_PIPE
            or WindowsErrors.ERROR_NO_DATA
            or WindowsErrors.WSAENOTCONN
            or WindowsErrors.WSAESHUTDOWN => Errnos.EPIPE,
            _ => Errnos.EIO,
        };

    /// <summary>Of an NTSTATUS; 0 for success.</summary>
    public static int OfStatus(int status) =>
        status switch
        {
            >= 0 => 0,
            WindowsErrors.STATUS_FILE_IS_A_DIRECTORY => Errnos.EISDIR,
            WindowsErrors.STATUS_NOT_A_DIRECTORY => Errnos.ENOTDIR,
            _ => ToErrno(NtFiles.ToError(status)),
        };

    /// <summary>Of the calling thread's last call, which failed.</summary>
    public static int Last() => ToErrno((uint)Marshal.GetLastPInvokeError()) is var errno and > 0 ? errno : Errnos.EIO;
}
