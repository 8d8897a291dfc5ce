// One request at a host's device: the engine's request, the token that the host gives back, and who won the right to
// end it.
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's, except the state, which ends a request once whoever tries.</summary>
sealed class HostRequest(uint index)
{
    const ulong PhaseIdle = 0;
    const ulong PhaseCalled = 1;
    const ulong PhaseMask = 1;

    ulong _state; // generation << 1 | phase

    public uint Index => index;

    public BlockRequest Request;

    /// <summary>Zeroes that are written for a host that cannot: the part that is through.</summary>
    public ulong DoneBytes;
    public ulong PartBytes;
    public Fault Fault;

    /// <summary>It counts in its lane: the host has it, or has ended it on another thread.</summary>
    public bool IsInLane;

    /// <summary>Names this call of this request: {generation, slot}, never given out twice.</summary>
    public ulong Token => Volatile.Read(ref _state) >> 1 << 24 | index;

    /// <summary>The host may end it from now on.</summary>
    public void Arm() => Volatile.Write(ref _state, (((_state >> 1) + 1) << 1) | PhaseCalled);

    /// <summary>True for the one who ends it.</summary>
    public bool TryEnd(ulong token)
    {
        ulong called = (token >> 24 << 1) | PhaseCalled;
        return Interlocked.CompareExchange(ref _state, called & ~PhaseMask | PhaseIdle, called) == called;
    }
}
