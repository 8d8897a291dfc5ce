// The whole map of a disk, asked for answer by answer; what is alike in neighbours is one entry.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one, any but the reactor's.</summary>
sealed class ImageMap : IBlockOwner, IDisposable
{
    const uint EntriesMax = 1024;

    readonly AutoResetEvent _ended = new(false);
    BlockResult _result;

    /// <param name="engine">Runs; drives the device.</param>
    /// <param name="device">Asked.</param>
    /// <param name="fault">None, or why the map ends where it does.</param>
    public static IEnumerable<MapEntry> Read(Engine engine, IBlockDevice device, List<Fault> fault)
    {
        using ImageMap map = new();
        using NativeArray<MapEntry> entries = new(EntriesMax, RegionResidency.Resident);
        ulong sizeBytes = device.Limits.CapacityBytes;
        MapEntry last = default;
        for (ulong at = 0; at < sizeBytes; )
        {
            map.Ask(engine, device, entries, at);
            if (map._result.Fault.IsFault || map._result.Count == 0)
            {
                fault.Add(map._result.Fault);
                break;
            }
            for (uint i = 0; i < map._result.Count; i++)
            {
                MapEntry entry = entries[i];
                at = entry.OffsetBytes + entry.LengthBytes;
                if (last.LengthBytes > 0 && last.Kind == entry.Kind && last.Depth == entry.Depth)
                {
                    last.LengthBytes += entry.LengthBytes;
                    continue;
                }
                if (last.LengthBytes > 0)
                    yield return last;
                last = entry;
            }
        }
        if (last.LengthBytes > 0)
            yield return last;
    }

    unsafe void Ask(Engine engine, IBlockDevice device, NativeArray<MapEntry> entries, ulong at)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Map;
        request.OffsetBytes = at;
        request.LengthBytes = device.Limits.CapacityBytes - at;
        request.Buffer = (nint)entries.Pointer; // SAFETY: lives until the answer, which is waited for
        request.MapCapacity = EntriesMax;
        request.Owner = this;
        engine.Reactor.Invoke(() => device.Submit(request));
        _ = _ended.WaitOne();
    }

    public void Dispose() => _ended.Dispose();

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        _result = result;
        _ = _ended.Set();
    }
}
