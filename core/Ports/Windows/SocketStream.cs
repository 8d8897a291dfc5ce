// A socket of Windows as the loop has it: what was pushed on it each way, and the memory that its calls need until the
// system says that they have ended, in a page of its own.
using System.Net;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Windows;
using FastBackup.Memory;

namespace FastBackup.Ports.Windows;

/// <summary>What the system has of a command, and by which the command is found again.</summary>
[StructLayout(LayoutKind.Sequential)]
struct StreamCall
{
    public IoOverlapped Overlapped;
    public ulong StreamId;
    public uint IsInward;
}

/// <summary>Threads: the loop's.</summary>
sealed class SocketStream : StreamHandle
{
    readonly AlignedRegion _region;

    unsafe SocketStream(ulong id, nint socket, SocketAddress address, bool isSkipping, AlignedRegion region)
    {
        (Id, Socket, Address, IsSkipping, _region) = (id, socket, address, isSkipping, region);
        // SAFETY: the region has a page: two calls, and behind them what AcceptEx writes.
        StreamCall* calls = (StreamCall*)region.Start;
        (Inward, Outward) = (new StreamHalf(this, (nint)calls), new StreamHalf(this, (nint)(calls + 1)));
        calls[0] = new StreamCall { StreamId = id, IsInward = 1 };
        calls[1] = new StreamCall { StreamId = id };
        Scratch = (nint)(calls + 2);
    }

    public ulong Id { get; }

    public nint Socket { get; private set; }

    /// <summary>Of the other side or of the listener; of an accepted one only the family counts.</summary>
    public SocketAddress Address { get; }

    /// <summary>What ends inside its call tells no port.</summary>
    public bool IsSkipping { get; }

    /// <summary>Some hundred bytes for the calls' own answers.</summary>
    public nint Scratch { get; }

    /// <summary>Accept, Receive.</summary>
    public StreamHalf Inward { get; }

    /// <summary>Connect, Send.</summary>
    public StreamHalf Outward { get; }

    public bool IsClosed => Socket == Sockets.InvalidSocket;

    /// <summary>In the list of those that have something to deliver.</summary>
    public bool IsListed { get; set; }

    public static Fault TryMake(ulong id, nint socket, SocketAddress address, bool isSkipping, out SocketStream? stream)
    {
        Fault fault = AlignedRegion.TryMap(
            AlignedRegion.PageBytes,
            RegionResidency.Resident,
            out AlignedRegion? region
        );
        stream = fault.IsNone ? new SocketStream(id, socket, address, isSkipping, region!) : null;
        return fault;
    }

    /// <summary>The other side sees the end; calls under way are cancelled, and still tell the port.</summary>
    public unsafe void CloseSocket()
    {
        _ = Sockets.Cancel(Socket, null); // SAFETY: no address: all of them
        SocketCalls.Close(Socket);
        Socket = Sockets.InvalidSocket;
    }

    /// <summary>Nothing is under way.</summary>
    public void Dispose() => _region.Dispose();

    /// <summary>As Dispose; what the system may still write to stays.</summary>
    public void Release()
    {
        if (Inward.IsCalling || Outward.IsCalling)
            _region.Leak();
        else
            Dispose();
    }
}
