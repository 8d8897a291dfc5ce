// Snapshots of jobs: read, and given up in part, while guests write.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class ViewActions : IBlockOwner
{
    const int ReadCount = 6;
    const int TightReadMax = 4;

    readonly Simulation _world;
    readonly Prng _prng;
    readonly List<ViewRead> _reads = [];

    public ViewActions(Simulation world, Prng prng, nint memory)
    {
        (_world, _prng) = (world, prng);
        for (int i = 0; i < ReadCount; i++)
            _reads.Add(new ViewRead(world, memory + i * ViewRead.BufferBytes));
    }

    public static ulong MemoryBytes => ReadCount * ViewRead.BufferBytes;

    /// <summary>Reads, as many at once as it may, of parts of one snapshot.</summary>
    public void Read()
    {
        if (FindReadable() is not { } run)
            return;
        ulong capacity = run.Point!.SizeBytes;
        int readMax = _world.IsTight ? TightReadMax : ReadCount;
        foreach (ViewRead read in _reads)
        {
            if (_reads.FindAll(one => one.IsUnderWay).Count >= readMax)
                return;
            if (read.IsUnderWay || _prng.Chance(1, 4))
                continue;
            ulong length = Math.Min(capacity, _prng.Below(ViewRead.BufferBytes + 1));
            ulong offset = _prng.Below(capacity - length + 1);
            read.Begin(run, new Extent(offset, length), isMap: (offset + length) % 5 == 0);
        }
    }

    /// <summary>What lies wholly inside is given up: no copy, no reading.</summary>
    public void Discard()
    {
        // A full copy without these parts is what its user asked for; what it would be compared with is not.
        if (FindReadable() is not { } run || run.Options.Sync != BackupSync.None || run.Dependents.Count > 0)
            return;
        PointInTime point = run.Point!;
        ulong length = Math.Min(point.SizeBytes, 1 + _prng.Below(point.ClusterBytes * 4));
        ulong offset = _prng.Below(point.SizeBytes - length + 1);
        Extent extent = new(offset, length);
        _world.Tallies.Count(Mishap.SnapshotDiscard);
        run.HadDiscard = true;
        point.Clusters(extent, out int first, out int end);
        for (int c = first; c < end; c++)
        {
            Extent bytes = point.Bytes(c);
            if (bytes.OffsetBytes >= extent.OffsetBytes && bytes.EndBytes <= extent.EndBytes)
                point.IsDiscarded[c] = true;
        }
        BlockRequest request = default;
        request.Operation = BlockOperation.Discard;
        (request.OffsetBytes, request.LengthBytes) = (offset, length);
        request.Owner = this;
        run.Job.View!.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsFault)
            throw new SimulationFailure("O13", $"a discard on a snapshot failed: {result.Fault}");
    }

    JobRun? FindReadable()
    {
        int count = _world.Runs.Count;
        int start = count == 0 ? 0 : (int)_prng.Below((ulong)count);
        for (int i = 0; i < count; i++)
        {
            JobRun run = _world.Runs[(start + i) % count];
            if (run.Point != null && !run.IsEnded && run.Job.View != null)
                return run;
        }
        return null;
    }
}
