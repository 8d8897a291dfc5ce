// A request of a qcow2 device on its way: how far the tables were asked, and what is under way for it below.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class Qcow2Slot
{
    public ulong Key;
    public BlockRequest Request;

    /// <summary>Up to here everything was begun.</summary>
    public ulong PositionBytes;

    /// <summary>Requests below, and clusters that are being unpacked into its buffer.</summary>
    public uint PendingCount;

    /// <summary>In some WaitList; it goes on when it is taken from there.</summary>
    public bool IsWaiting;

    /// <summary>A write: there was no room, and what was to become free has.</summary>
    public bool HasWaitedForSpace;

    public Fault Fault;

    /// <summary>Later requests have higher ones; the highest of one that is done with what the tables name.</summary>
    public ulong Serial;

    /// <summary>A write that is to be durable, and is when the tables are.</summary>
    public bool NeedsCommit;

    /// <summary>Whose request it is, of one that makes the disk larger; else null.</summary>
    public Qcow2Growth? Growth;

    /// <summary>Of those that wait for the same.</summary>
    public Qcow2Slot? Next;

    /// <summary>Map: entries so far.</summary>
    public uint MapCount;

    /// <summary>Map: what the image below is being asked for; it may answer for less.</summary>
    public ulong AskedBytes;

    public ulong EndBytes => Request.OffsetBytes + Request.LengthBytes;

    public void Begin(ulong key, in BlockRequest request, ulong serial)
    {
        (Serial, Growth) = (serial, request.Owner as Qcow2Growth);
        (Key, Request, PositionBytes) = (key, request, request.OffsetBytes);
        (PendingCount, IsWaiting, Fault, Next) = (0, false, Fault.None, null);
        (MapCount, AskedBytes, NeedsCommit, HasWaitedForSpace) = (0, 0, false, false);
    }
}
