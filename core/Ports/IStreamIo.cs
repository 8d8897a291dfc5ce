// The port between network devices and whatever carries bytes: sockets of the system, or the simulator. As with files,
// a command is one call with its own result: fewer bytes than asked for are no failure, and a whole message is the
// affair of whoever speaks the protocol.
using System;
using System.Net;
using FastBackup.Base;

namespace FastBackup.Ports;

public enum StreamOperation : byte
{
    /// <summary>Once, before all else. Not for a listener.</summary>
    Connect,

    /// <summary>Only for a listener; the result is a stream that is connected.</summary>
    Accept,

    /// <summary>At least one byte; 0 of them: the other side has ended.</summary>
    Receive,

    /// <summary>At least one byte.</summary>
    Send,
}

/// <summary>A connection, or what listens for some; made and closed by its port.</summary>
public abstract class StreamHandle;

/// <summary>Buffers belong to the port from push to completion.</summary>
public struct StreamCommand
{
    public StreamOperation Operation;
    public StreamHandle Stream;

    /// <summary>Receive, Send: LengthBytes of memory, at least 1.</summary>
    public nint Buffer;
    public ulong LengthBytes;

    /// <summary>Receive: a part of it is of no use yet. A hint: the result may be one all the same.</summary>
    public bool IsWantedWhole;
    public IStreamOwner Owner;

    /// <summary>Given back with the completion.</summary>
    public ulong Tag;
}

/// <param name="Fault">None, or why the command failed; Canceled: the stream was closed under it.</param>
/// <param name="Count">Receive, Send: bytes moved. Else 0.</param>
/// <param name="Accepted">Accept: the connection, owned by whoever asked. Else null.</param>
public readonly record struct StreamResult(Fault Fault, ulong Count = 0, StreamHandle? Accepted = null);

public interface IStreamOwner
{
    /// <summary>Called once for each command that was pushed, from <see cref="IStreamIo.Poll"/>.</summary>
    void OnStreamCompleted(ulong tag, in StreamResult result);
}

/// <summary>Threads: the loop's.</summary>
public interface IStreamIo : IDisposable
{
    /// <summary>Commands pushed and not yet delivered.</summary>
    uint InFlightCount { get; }

    /// <summary>Something was pushed or closed that Poll has not looked at: the loop must not sleep.</summary>
    bool HasWork { get; }

    /// <summary>Makes a stream that a Connect can be pushed on. Waits for nothing.</summary>
    /// <returns>None, or why there is none: no descriptor, a family that this system does not know.</returns>
    Fault TryOpen(EndPoint address, out StreamHandle? stream);

    /// <summary>Makes a stream that Accepts can be pushed on, at once.</summary>
    /// <returns>None, or why not: the address is taken or is not this machine's.</returns>
    Fault TryListen(EndPoint address, out StreamHandle? stream);

    /// <summary>
    /// Accepts a command. At most one that waits for the other side's bytes (Accept, Receive) and one that sends
    /// (Connect, Send) at a time on one stream; nothing completes inside this call.
    /// </summary>
    void Push(in StreamCommand command);

    /// <summary>
    /// Ends a stream at once. Its commands complete with Canceled: in the next Poll, or soon after, when the system has
    /// let go of their buffers.
    /// </summary>
    void Close(StreamHandle stream);

    /// <summary>Does what can be done without waiting and delivers what has completed.</summary>
    /// <returns>Completions delivered.</returns>
    uint Poll();
}
