// The compressed clusters of an image that are being unpacked, and those that were and are kept: a bounded number. Who
// wants all of a cluster gets it unpacked into his own buffer, many side by side; who wants a part waits until it is in
// memory here, and finds it there for the next parts.
// Memory: for 64 KiB clusters 16 times 192 KiB, for 2 MiB 4 times 6 MiB, lazily: an image without compressed clusters
// takes none of it.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class PackedClusters : IDisposable
{
    const ulong MemoryBytes = 8 * Units.MiB;
    const uint CountMin = 4;
    const uint CountMax = 16;

    readonly IImageOwner _owner;
    readonly Action<Qcow2Slot, Fault> _onUnpacked;
    readonly PackedCluster[] _all;
    readonly AlignedRegion _memory;
    WaitList _starving;
    uint _hand;

    /// <param name="loop">The device's.</param>
    /// <param name="file">Read from.</param>
    /// <param name="header">Of the image.</param>
    /// <param name="crew">Null: unpacked on the loop.</param>
    /// <param name="owner">Told when a cluster is there in part of which somebody waits.</param>
    /// <param name="onUnpacked">Told of a whole one, which has counted as pending.</param>
    public PackedClusters(
        IIoLoop loop,
        IBlockDevice file,
        Qcow2Header header,
        WorkCrew? crew,
        IImageOwner owner,
        Action<Qcow2Slot, Fault> onUnpacked
    )
    {
        (_owner, _onUnpacked) = (owner, onUnpacked);
        _all = new PackedCluster[Math.Clamp(MemoryBytes / (3 * header.ClusterBytes), CountMin, CountMax)];
        ulong bytes = PackedCluster.MemoryBytes(header, file);
        _memory = AlignedRegion.Map(bytes * (ulong)_all.Length, RegionResidency.Lazy);
        for (int i = 0; i < _all.Length; i++)
            _all[i] = new PackedCluster(loop, file, owner, header, crew, _memory.Start + (nint)bytes * i, OnEnd);
    }

    public uint BusyCount { get; private set; }

    /// <summary>Reads a part of a cluster, or begins to.</summary>
    /// <param name="slot">Who asks; waits where the answer is not ready.</param>
    /// <param name="run">Where it lies; at least a byte of it in the file.</param>
    /// <param name="within">Where the part begins in the cluster.</param>
    /// <param name="part">His buffer.</param>
    public TableState Read(Qcow2Slot slot, in ClusterRun run, ulong within, Span<byte> part)
    {
        foreach (PackedCluster kept in _all)
        {
            if (kept.HostBytes != run.HostBytes)
                continue;
            kept.IsUsed = true;
            if (kept.IsBusy)
                return Wait(ref kept.Waiting, slot);
            kept.Plain.Slice((int)within, part.Length).CopyTo(part);
            return TableState.Ready;
        }
        if (!TryTakeOldest(out PackedCluster cluster))
            return Wait(ref _starving, slot);
        cluster.IsUsed = true;
        BusyCount++;
        cluster.Start(run, slot.Request.Lane, whose: null, buffer: 0);
        return Wait(ref cluster.Waiting, slot);
    }

    /// <summary>Begins to unpack a whole cluster into a buffer: it counts as pending then.</summary>
    /// <param name="slot">Who asks; waits where there is no room.</param>
    /// <param name="run">Where it lies; at least a byte of it in the file.</param>
    /// <param name="buffer">A cluster of his memory.</param>
    public TableState ReadWhole(Qcow2Slot slot, in ClusterRun run, nint buffer)
    {
        if (!TryTakeOldest(out PackedCluster cluster))
            return Wait(ref _starving, slot);
        slot.PendingCount++;
        BusyCount++;
        cluster.Start(run, slot.Request.Lane, slot, buffer);
        return TableState.Ready;
    }

    static TableState Wait(ref WaitList list, Qcow2Slot slot)
    {
        list.Add(slot);
        return TableState.Waits;
    }

    bool TryTakeOldest(out PackedCluster cluster)
    {
        cluster = _all[0];
        for (int looked = 0; looked < 2 * _all.Length; looked++)
        {
            cluster = _all[_hand];
            _hand = _hand + 1 == _all.Length ? 0 : _hand + 1;
            if (cluster.IsBusy)
                continue;
            if (!cluster.IsUsed)
                return true;
            cluster.IsUsed = false;
        }
        return false;
    }

    void OnEnd(PackedCluster cluster, Fault fault)
    {
        BusyCount--;
        if (fault.IsFault)
            cluster.HostBytes = 0;
        WaitList waiting = cluster.Waiting.TakeAll();
        WaitList starving = _starving.TakeAll();
        if (cluster.Whose is { } slot)
            _onUnpacked(slot, fault);
        _owner.OnWaited(waiting, fault);
        _owner.OnWaited(starving, Fault.None);
    }

    public void Dispose()
    {
        if (BusyCount > 0)
        {
            _memory.Leak(); // of a loop that has stopped: the device or the crew may still write to it
            return;
        }
        _memory.Dispose();
        foreach (PackedCluster cluster in _all)
            cluster.Dispose();
    }
}
