// A buffer of a device's lanes and the request on it.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Repositories;

/// <summary>One buffer and its request.</summary>
sealed class DeviceLane(uint index, BufferLease lease) : IDisposable
{
    internal readonly BufferLease Lease = lease;
    internal readonly uint Index = index;
    internal readonly ManualResetEventSlim Ended = new();
    internal BlockOperation Operation;
    internal BlockFlags Flags;
    internal Action<DeviceLane>? OnEnd;

    public ulong OffsetBytes { get; internal set; }

    public ulong LengthBytes { get; internal set; }

    public Fault Fault { get; internal set; }

    /// <summary>The caller's.</summary>
    public ulong Tag { get; set; }

    public void Dispose() => Ended.Dispose();
}
