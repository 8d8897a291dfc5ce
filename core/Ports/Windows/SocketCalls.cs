// Calls on sockets of Windows that need more than their declaration: the library's start, what only a socket's own
// provider can (AcceptEx, ConnectEx), and what must follow these before a socket is like any other.
// Source: WSAStartup, WSASocketW, AcceptEx, ConnectEx in the Windows documentation.
using System;
using System.Net;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Windows;

namespace FastBackup.Ports.Windows;

/// <summary>Threads: any.</summary>
static class SocketCalls
{
    // SAFETY: in the whole file, what addresses lead to is of the frame or of a fixed object, for the call only; an
    // IoOverlapped and what AcceptEx writes are the stream's until the end of the call.

    const int AddressBytesMax = 128; // SOCKADDR_STORAGE

    static readonly Lazy<int> s_started = new(Start);

    /// <summary>Once for the process; it is never ended.</summary>
    public static Fault TryStart() => Errnos.ToFault(WindowsFault.ToErrno((uint)s_started.Value));

    /// <summary>A socket for addresses like this one.</summary>
    public static unsafe Fault TryMake(SocketAddress address, out nint socket)
    {
        const uint flags = Sockets.WSA_FLAG_OVERLAPPED | Sockets.WSA_FLAG_NO_HANDLE_INHERIT;
        socket = Sockets.Socket((int)address.Family, Sockets.SOCK_STREAM, 0, null, 0, flags);
        if (socket == Sockets.InvalidSocket)
            return Errnos.ToFault(WindowsFault.Last());
        if (!IsUnix(address))
            Set(socket, Sockets.IPPROTO_TCP, Sockets.TCP_NODELAY);
        return Fault.None;
    }

    /// <summary>At an address that nobody else has, nor gets.</summary>
    public static unsafe Fault Listen(nint socket, SocketAddress address, int backlog)
    {
        if (!IsUnix(address))
            Set(socket, Sockets.SOL_SOCKET, Sockets.SO_EXCLUSIVEADDRUSE);
        fixed (byte* bytes = address.Buffer.Span)
            return
                Sockets.Bind(socket, bytes, address.Size) == Sockets.SocketError
                || Sockets.Listen(socket, backlog) == Sockets.SocketError
                ? Errnos.ToFault(WindowsFault.Last())
                : Fault.None;
    }

    /// <summary>Nothing for InvalidSocket.</summary>
    public static void Close(nint socket)
    {
        if (socket != Sockets.InvalidSocket)
            _ = Sockets.Close(socket);
    }

    /// <param name="listener">Listens.</param>
    /// <param name="accepted">New, of the same family.</param>
    /// <param name="scratch">Two addresses and what is behind them; the system's until the end of the call.</param>
    /// <param name="overlapped">Of the call.</param>
    /// <returns>0, ERROR_IO_PENDING, or why not.</returns>
    public static unsafe uint Accept(nint listener, nint accepted, void* scratch, IoOverlapped* overlapped)
    {
        const uint addressBytes = AddressBytesMax + Sockets.AcceptAddressExtraBytes;
        nint function = Find(listener, Sockets.WSAID_ACCEPTEX);
        if (function == 0)
            return Error();
        uint count;
        // The provider's AcceptEx, as mswsock.h declares it.
        int isDone = ((delegate* unmanaged<nint, nint, void*, uint, uint, uint, uint*, IoOverlapped*, int>)function)(
            listener,
            accepted,
            scratch,
            0,
            addressBytes,
            addressBytes,
            &count,
            overlapped
        );
        return isDone != 0 ? 0 : (uint)Marshal.GetLastSystemError();
    }

    /// <summary>From an address that the system chooses.</summary>
    /// <returns>0, ERROR_IO_PENDING, or why not.</returns>
    public static unsafe uint Connect(nint socket, SocketAddress address, IoOverlapped* overlapped)
    {
        fixed (byte* bytes = address.Buffer.Span)
        {
            if (IsUnix(address))
                return Sockets.Connect(socket, bytes, address.Size) == 0 ? 0 : Error();
            byte* any = stackalloc byte[AddressBytesMax];
            new Span<byte>(any, AddressBytesMax).Clear();
            *(ushort*)any = (ushort)address.Family;
            nint function = Find(socket, Sockets.WSAID_CONNECTEX);
            if (function == 0 || Sockets.Bind(socket, any, address.Size) == Sockets.SocketError)
                return Error();
            // The provider's ConnectEx, as mswsock.h declares it; it takes a copy of the address.
            int isDone = ((delegate* unmanaged<nint, void*, int, void*, uint, uint*, IoOverlapped*, int>)function)(
                socket,
                bytes,
                address.Size,
                null,
                0,
                null,
                overlapped
            );
            return isDone != 0 ? 0 : (uint)Marshal.GetLastSystemError();
        }
    }

    /// <returns>0, or an error number.</returns>
    public static unsafe int ConcludeAccept(nint accepted, nint listener) =>
        Sockets.SetOption(accepted, Sockets.SOL_SOCKET, Sockets.SO_UPDATE_ACCEPT_CONTEXT, &listener, sizeof(nint)) == 0
            ? 0
            : WindowsFault.Last();

    /// <returns>0, or an error number.</returns>
    public static unsafe int ConcludeConnect(nint socket)
    {
        int result = Sockets.SetOption(socket, Sockets.SOL_SOCKET, Sockets.SO_UPDATE_CONNECT_CONTEXT, null, 0);
        return result == 0 ? 0 : WindowsFault.Last();
    }

    static unsafe int Start()
    {
        byte* answer = stackalloc byte[Sockets.StartBytesMax]; // larger than WSADATA
        return Sockets.Start(Sockets.Version, answer);
    }

    static bool IsUnix(SocketAddress address) => (ushort)address.Family == Sockets.AF_UNIX;

    static unsafe void Set(nint socket, int level, int option)
    {
        int on = 1;
        _ = Sockets.SetOption(socket, level, option, &on, sizeof(int));
    }

    /// <returns>A function of the socket's provider; 0 after an error.</returns>
    static unsafe nint Find(nint socket, Guid name)
    {
        nint function;
        uint count;
        const uint code = Sockets.SIO_GET_EXTENSION_FUNCTION_POINTER;
        int result = Sockets.Control(
            socket,
            code,
            &name,
            (uint)sizeof(Guid),
            &function,
            (uint)sizeof(nint),
            &count,
            null,
            null
        );
        return result == 0 ? function : 0;
    }

    static uint Error() => (uint)Marshal.GetLastPInvokeError();
}
