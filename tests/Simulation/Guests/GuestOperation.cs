// One guest request from its begin to its end, in hook mode (ask, write through the host, tell) or device mode.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Guests;

/// <summary>Reused for ever; owns one buffer.</summary>
sealed class GuestOperation(GuestLoad load, nint buffer) : IGuestOwner, IFileIoOwner
{
    public GuestDisk Target = null!;
    public BlockOperation Operation;
    public bool IsHook;
    public Extent Extent;
    public uint Sequence;
    public ulong BegunNs;
    public ulong ClosedNsAtBegin;

    public bool IsDurable;

    /// <summary>Another change of these bytes was under way at some time.</summary>
    public bool IsOverlapped;

    /// <summary>Sum of the limits of all points in time that it met.</summary>
    public ulong WaitLimitNs;
    public bool IsUnbounded;

    /// <summary>Hook mode: it has asked, and was not answered yet.</summary>
    public bool IsAsking;

    /// <summary>Turns in a row that it waited without need.</summary>
    public uint StalledTurns;

    /// <summary>Flush: what was answered before it began.</summary>
    public readonly List<(Extent Extent, uint Sequence)> Owed = [];
    public readonly uint[] Floors = new uint[GuestLoad.BufferBytes / Sector.Bytes];

    public nint Buffer { get; } = buffer;

    /// <summary>It begins after this point in time, or is under way then.</summary>
    public void Meet(PointInTime point)
    {
        IsUnbounded |= point.WaitLimitNs == 0;
        WaitLimitNs += point.WaitLimitNs;
        if (IsChange)
            point.OnAsked(Extent);
    }

    public bool IsZero => Operation is BlockOperation.WriteZeroes or BlockOperation.Discard;

    public bool IsChange => IsZero || Operation == BlockOperation.Write;

    public void OnGuestCompleted(ulong userData, Fault fault)
    {
        Check.That(userData == Sequence);
        IsAsking = false;
        if (IsHook && fault.IsNone)
            load.OnGranted(this, isLate: true);
        else
            load.OnEnded(this, fault);
    }

    public void OnFileCompleted(ulong tag, in FileResult result) => load.OnHostWritten(this, result.IsDone);
}
