// Stream sockets with overlapped calls. Declarations only: no retries, no policy.
// Source: winsock2.h, mswsock.h, afunix.h; AcceptEx and ConnectEx in the Windows documentation.
using System;
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Windows;

public static unsafe partial class Sockets
{
    const string Library = "ws2_32";

    public const nint InvalidSocket = -1;
    public const int SocketError = -1;
    public const ushort Version = 0x202; // 2.2
    public const int StartBytesMax = 512; // WSADATA has 408

    public const ushort AF_UNIX = 1;
    public const int SOCK_STREAM = 1;
    public const uint WSA_FLAG_OVERLAPPED = 0x01;
    public const uint WSA_FLAG_NO_HANDLE_INHERIT = 0x80;

    public const int SOL_SOCKET = 0xFFFF;
    public const int SO_EXCLUSIVEADDRUSE = ~4;
    public const int SO_UPDATE_ACCEPT_CONTEXT = 0x700B;
    public const int SO_UPDATE_CONNECT_CONTEXT = 0x7010;
    public const int IPPROTO_TCP = 6;
    public const int TCP_NODELAY = 1;

    public const uint SIO_GET_EXTENSION_FUNCTION_POINTER = 0xC8000006;

    public static readonly Guid WSAID_ACCEPTEX = new("b5367df1-cbac-11cf-95ca-00805f48a192");
    public static readonly Guid WSAID_CONNECTEX = new("25a207b9-ddf3-4660-8ee9-76e58c74063e");

    /// <summary>AcceptEx wants so much behind each address.</summary>
    public const uint AcceptAddressExtraBytes = 16;

    /// <returns>0, or the error.</returns>
    [LibraryImport(Library, EntryPoint = "WSAStartup")]
    public static partial int Start(ushort version, void* answer);

    [LibraryImport(Library, EntryPoint = "WSASocketW", SetLastError = true)]
    public static partial nint Socket(int family, int type, int protocol, void* which, uint group, uint flags);

    [LibraryImport(Library, EntryPoint = "closesocket", SetLastError = true)]
    public static partial int Close(nint socket);

    [LibraryImport(Library, EntryPoint = "bind", SetLastError = true)]
    public static partial int Bind(nint socket, void* address, int lengthBytes);

    [LibraryImport(Library, EntryPoint = "connect", SetLastError = true)]
    public static partial int Connect(nint socket, void* address, int lengthBytes);

    [LibraryImport(Library, EntryPoint = "listen", SetLastError = true)]
    public static partial int Listen(nint socket, int backlog);

    [LibraryImport(Library, EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int SetOption(nint socket, int level, int option, void* value, int lengthBytes);

    [LibraryImport(Library, EntryPoint = "WSAIoctl", SetLastError = true)]
    public static partial int Control(
        nint socket,
        uint code,
        void* input,
        uint inputBytes,
        void* output,
        uint outputBytes,
        uint* answerBytes,
        IoOverlapped* overlapped,
        void* onCompleted
    );

    [LibraryImport(Library, EntryPoint = "WSARecv", SetLastError = true)]
    public static partial int Receive(
        nint socket,
        SocketBuffer* buffers,
        uint bufferCount,
        uint* receivedBytes,
        uint* flags,
        IoOverlapped* overlapped,
        void* onCompleted
    );

    [LibraryImport(Library, EntryPoint = "WSASend", SetLastError = true)]
    public static partial int Send(
        nint socket,
        SocketBuffer* buffers,
        uint bufferCount,
        uint* sentBytes,
        uint flags,
        IoOverlapped* overlapped,
        void* onCompleted
    );

    [LibraryImport(Library, EntryPoint = "WSAGetOverlappedResult", SetLastError = true)]
    public static partial int Result(
        nint socket,
        IoOverlapped* overlapped,
        uint* transferredBytes,
        int mayWait,
        uint* flags
    );

    [LibraryImport("kernel32", EntryPoint = "CancelIoEx", SetLastError = true)]
    public static partial int Cancel(nint socket, IoOverlapped* overlapped);
}

/// <summary>WSABUF.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct SocketBuffer
{
    public uint LengthBytes;
    public void* Start;
}
