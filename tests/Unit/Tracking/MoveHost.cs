// A host of the move model: a disk, of which others see changes in its times, and in its places only where granule 0
// changes; and the file of a tracker, or of one that waits, or of one that is over.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;
using FastBackup.Tracking.Store;

namespace FastBackup.Tests.Unit.Tracking;

sealed class MoveDisk(ulong id, ulong[] content)
{
    ulong _times = content[0] + 1000;

    public Digest32 Id { get; } = new(id, 1);

    public ulong[] Content => content;

    public DiskStamp Stamp => new(_times, _times, new Digest32(content[0], 2));

    public Digest32 Whole
    {
        get
        {
            byte[] hash = SHA256.HashData(MemoryMarshal.AsBytes<ulong>(content));
            return new Digest32(BinaryPrimitives.ReadUInt128LittleEndian(hash), 3);
        }
    }

    public void Write(ulong granule, ulong version) => (content[granule], _times) = (version, version);
}

sealed class MoveHost(MoveDisk disk, ModelFile file)
{
    public MoveDisk Disk { get; set; } = disk;

    public ModelFile File { get; set; } = file;

    public RecoveredTracker Recover() => Recover(File);

    /// <summary>As if its file were this one.</summary>
    public RecoveredTracker Recover(ITrackerReader file)
    {
        TrackerWorld world = new(Disk.Id, PointScene.Shape.DiskBytes, Disk.Stamp, 1, (1, 1), IsFileSettled: true);
        return TrackerRecovery.Recover(file, world);
    }

    /// <summary>A guest writes, watched.</summary>
    public void Write(RecoveredTracker found, IEnumerable<ulong> granules, ref ulong version)
    {
        foreach (ulong granule in granules)
        {
            found.Changed!.SetBits(granule, 1);
            Disk.Write(granule, ++version);
        }
        using TrackerStore store = TrackerSteps.Take(found, found.Open!);
        Check.That(TrackerSteps.End(File, store, Disk.Stamp).IsNone);
    }

    public void Add(RecoveredTracker found, string name)
    {
        using PointPlan plan = PointPlan.Add(found.Header!, found.Chain!, name, 1, false, isAtRest: true);
        Check.That(TrackerSteps.ChangePoints(File, found, plan, Disk.Stamp).IsNone);
    }

    /// <summary>Fails where it does not name a granule that differs from what it was at a point.</summary>
    /// <param name="found">Without a refusal.</param>
    /// <param name="points">Content of the disk at each point; the base is "".</param>
    /// <param name="hasAll">No point may be missing.</param>
    public void Judge(RecoveredTracker found, Dictionary<string, ulong[]> points, bool hasAll)
    {
        MapChain chain = found.Chain!;
        for (int i = 0; i < chain.Points.Count; i++)
        {
            TrackedPoint point = chain.Points[i];
            if (!point.IsBase && point.Name.Length == 0)
                continue;
            using HierarchicalBitmap since = chain.Since(i);
            ulong[] then = points[point.Name];
            for (ulong granule = 0; granule < (ulong)then.Length; granule++)
                if (then[granule] != Disk.Content[granule] && !since.GetBit(granule))
                    throw new ModelException($"since '{point.Name}' granule {granule} has changed, and is not named");
        }
        foreach (string name in points.Keys.Where(name => name.Length > 0))
            if (hasAll && chain.Find(name) < 0)
                throw new ModelException($"point '{name}' is lost");
    }
}
