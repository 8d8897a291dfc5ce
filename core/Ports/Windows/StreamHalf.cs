// One way of a stream: the command that was pushed, as a call of Windows, and what came of it.
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Windows;

namespace FastBackup.Ports.Windows;

/// <summary>Threads: the loop's.</summary>
/// <param name="stream">Whose.</param>
/// <param name="call">Address of a StreamCall in the stream's own page.</param>
sealed class StreamHalf(SocketStream stream, nint call)
{
    const uint TransferBytesMax = 1 << 30;

    // SAFETY: in the whole file, the call's place is the stream's while it has commands; whoever pushed a command owns
    // LengthBytes at Buffer until its completion; all else is of the frame and for the system's call only.

    nint _accepted = Sockets.InvalidSocket;

    public SocketStream Stream => stream;

    /// <summary>Without an owner: none.</summary>
    public StreamCommand Command { get; set; }

    /// <summary>The system has the command, and will tell the port.</summary>
    public bool IsCalling { get; set; }

    /// <summary>Not delivered yet.</summary>
    public StreamResult? Ended { get; set; }

    /// <summary>Makes the call of the command.</summary>
    /// <returns>What came of it; null: the port will tell.</returns>
    public unsafe StreamResult? Begin()
    {
        *Overlapped = default;
        uint count = 0;
        uint error = Command.Operation switch
        {
            StreamOperation.Accept => Accept(),
            StreamOperation.Connect => SocketCalls.Connect(stream.Socket, stream.Address, Overlapped),
            StreamOperation.Receive => Receive(&count),
            _ => Send(&count),
        };
        IsCalling = error == WindowsErrors.ERROR_IO_PENDING || (error == 0 && !stream.IsSkipping && TellsPort);
        if (IsCalling)
            return null;
        return error == 0 ? Success(count) : new StreamResult(Errnos.ToFault(WindowsFault.ToErrno(error)));
    }

    /// <summary>Of a call that the port has told of.</summary>
    public unsafe StreamResult Result()
    {
        if (stream.IsClosed)
            return new StreamResult(new Fault(FaultKind.Canceled));
        uint count;
        uint flags;
        // It has ended, so nothing is waited for.
        return Sockets.Result(stream.Socket, Overlapped, &count, 0, &flags) != 0
            ? Success(count)
            : new StreamResult(Errnos.ToFault(WindowsFault.Last()));
    }

    /// <summary>What AcceptEx has connected, or would have; the caller's.</summary>
    public nint TakeAccepted()
    {
        nint accepted = _accepted;
        _accepted = Sockets.InvalidSocket;
        return accepted;
    }

    unsafe IoOverlapped* Overlapped => &((StreamCall*)call)->Overlapped;

    /// <summary>A unix socket is connected by a call that waits, and tells nobody.</summary>
    bool TellsPort => Command.Operation != StreamOperation.Connect || (ushort)stream.Address.Family != Sockets.AF_UNIX;

    unsafe uint Accept()
    {
        Fault fault = SocketCalls.TryMake(stream.Address, out _accepted);
        return fault.IsFault
            ? WindowsErrors.WSAEMFILE
            : SocketCalls.Accept(stream.Socket, _accepted, (void*)stream.Scratch, Overlapped);
    }

    unsafe uint Receive(uint* count)
    {
        SocketBuffer buffer = Buffer();
        uint flags = 0;
        return Sockets.Receive(stream.Socket, &buffer, 1, count, &flags, Overlapped, null) == 0 ? 0 : Error();
    }

    unsafe uint Send(uint* count)
    {
        SocketBuffer buffer = Buffer();
        return Sockets.Send(stream.Socket, &buffer, 1, count, 0, Overlapped, null) == 0 ? 0 : Error();
    }

    unsafe SocketBuffer Buffer() =>
        new()
        {
            Start = (void*)Command.Buffer,
            LengthBytes = (uint)System.Math.Min(Command.LengthBytes, TransferBytesMax),
        };

    StreamResult Success(uint count)
    {
        int errno = Command.Operation switch
        {
            StreamOperation.Accept => SocketCalls.ConcludeAccept(_accepted, stream.Socket),
            StreamOperation.Connect => SocketCalls.ConcludeConnect(stream.Socket),
            _ => 0,
        };
        return errno != 0
            ? new StreamResult(Errnos.ToFault(errno))
            : new StreamResult(
                Fault.None,
                Command.Operation is StreamOperation.Receive or StreamOperation.Send ? count : 0
            );
    }

    static uint Error() => (uint)Marshal.GetLastPInvokeError();
}
