// Error numbers of Windows that the ports meet. Source: winerror.h, ntstatus.h.
namespace FastBackup.Interop.Windows;

public static class WindowsErrors
{
    public const uint ERROR_INVALID_FUNCTION = 1;
    public const uint ERROR_FILE_NOT_FOUND = 2;
    public const uint ERROR_PATH_NOT_FOUND = 3;
    public const uint ERROR_TOO_MANY_OPEN_FILES = 4;
    public const uint ERROR_ACCESS_DENIED = 5;
    public const uint ERROR_INVALID_HANDLE = 6;
    public const uint ERROR_NOT_ENOUGH_MEMORY = 8;
    public const uint ERROR_OUTOFMEMORY = 14;
    public const uint ERROR_INVALID_DRIVE = 15;
    public const uint ERROR_NOT_SAME_DEVICE = 17;
    public const uint ERROR_WRITE_PROTECT = 19;
    public const uint ERROR_NOT_READY = 21;
    public const uint ERROR_SHARING_VIOLATION = 32;
    public const uint ERROR_LOCK_VIOLATION = 33;
    public const uint ERROR_HANDLE_EOF = 38;
    public const uint ERROR_HANDLE_DISK_FULL = 39;
    public const uint ERROR_NOT_SUPPORTED = 50;
    public const uint ERROR_BAD_NETPATH = 53;
    public const uint ERROR_NETNAME_DELETED = 64;
    public const uint ERROR_BAD_NET_NAME = 67;
    public const uint ERROR_FILE_EXISTS = 80;
    public const uint ERROR_INVALID_PARAMETER = 87;
    public const uint ERROR_BROKEN_PIPE = 109;
    public const uint ERROR_DISK_FULL = 112;
    public const uint ERROR_CALL_NOT_IMPLEMENTED = 120;
    public const uint ERROR_SEM_TIMEOUT = 121;
    public const uint ERROR_INVALID_NAME = 123;
    public const uint ERROR_BAD_PATHNAME = 161;
    public const uint ERROR_BUSY = 170;
    public const uint ERROR_ALREADY_EXISTS = 183;
    public const uint ERROR_FILENAME_EXCED_RANGE = 206;
    public const uint ERROR_FILE_TOO_LARGE = 223;
    public const uint ERROR_NO_DATA = 232;
    public const uint ERROR_MORE_DATA = 234;
    public const uint WAIT_TIMEOUT = 258;
    public const uint ERROR_DIRECTORY = 267;
    public const uint ERROR_DELETE_PENDING = 303;
    public const uint ERROR_OPERATION_ABORTED = 995;
    public const uint ERROR_IO_PENDING = 997;
    public const uint ERROR_CONNECTION_REFUSED = 1225;
    public const uint ERROR_NETWORK_UNREACHABLE = 1231;
    public const uint ERROR_HOST_UNREACHABLE = 1232;
    public const uint ERROR_CONNECTION_ABORTED = 1236;
    public const uint ERROR_RETRY = 1237;
    public const uint ERROR_DISK_QUOTA_EXCEEDED = 1295;
    public const uint ERROR_PRIVILEGE_NOT_HELD = 1314;
    public const uint ERROR_NO_SYSTEM_RESOURCES = 1450;
    public const uint ERROR_WORKING_SET_QUOTA = 1453;
    public const uint ERROR_COMMITMENT_LIMIT = 1455;
    public const uint ERROR_TIMEOUT = 1460;
    public const uint ERROR_INVALID_USER_BUFFER = 1784;
    public const uint ERROR_NOT_ENOUGH_QUOTA = 1816;

    public const uint WSAEACCES = 10013;
    public const uint WSAEINVAL = 10022;
    public const uint WSAEMFILE = 10024;
    public const uint WSAEAFNOSUPPORT = 10047;
    public const uint WSAEADDRINUSE = 10048;
    public const uint WSAEADDRNOTAVAIL = 10049;
    public const uint WSAENETUNREACH = 10051;
    public const uint WSAECONNABORTED = 10053;
    public const uint WSAECONNRESET = 10054;
    public const uint WSAENOBUFS = 10055;
    public const uint WSAENOTCONN = 10057;
    public const uint WSAESHUTDOWN = 10058;
    public const uint WSAETIMEDOUT = 10060;
    public const uint WSAECONNREFUSED = 10061;
    public const uint WSAEHOSTUNREACH = 10065;

    public const int STATUS_END_OF_FILE = unchecked((int)0xC0000011);
    public const int STATUS_FILE_IS_A_DIRECTORY = unchecked((int)0xC00000BA);
    public const int STATUS_NOT_A_DIRECTORY = unchecked((int)0xC0000103);
}
