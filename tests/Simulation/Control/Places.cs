// Where jobs write to: for each disk a few targets, and scratch files for all, each used by one job at a time.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class Places(Simulation world, Prng prng)
{
    const int TargetCount = 4;
    const int ScratchCount = 3;

    readonly Dictionary<GuestDisk, List<TargetSlot>> _targets = [];
    readonly List<ScratchSlot> _scratches = [];

    public List<TargetSlot> TargetsOf(GuestDisk disk) => _targets[disk];

    public void AddTargets(GuestDisk disk)
    {
        _targets[disk] = [];
        for (int i = 0; i < TargetCount; i++)
            _targets[disk].Add(MakeTarget(disk, i, isZeroInitialised: i % 2 == 1));
    }

    public void AddScratches()
    {
        for (int i = 0; i < ScratchCount; i++)
            _scratches.Add(MakeScratch(i));
    }

    /// <summary>A target that no job and no late request uses; null when there is none.</summary>
    public TargetSlot? FindTarget(GuestDisk disk)
    {
        List<TargetSlot> targets = _targets[disk];
        int start = (int)prng.Below((ulong)targets.Count);
        for (int i = 0; i < targets.Count; i++)
        {
            TargetSlot target = targets[(start + i) % targets.Count];
            bool isChainBusy = target.Chain is { } chain && (chain.IsBusy || chain.Bitmap.IsBusy);
            // A request of an ended job that the device has not answered yet would land in the next one's data.
            if (!target.IsTaken && !isChainBusy && target.Device.InFlightCount == 0)
                return target;
        }
        return null;
    }

    /// <summary>A new file, where it is said to be one; a chain's target keeps what it has.</summary>
    public static void Prepare(TargetSlot target)
    {
        if (target.Chain == null && target.IsZeroInitialised)
            target.Image.Reset();
    }

    /// <summary>A scratch space in a free file, or none.</summary>
    public ScratchSpace? DrawScratch(uint clusterBytes)
    {
        if (!prng.Chance(1, 2))
            return null;
        foreach (ScratchSlot slot in _scratches)
        {
            if (slot.IsTaken || slot.Device.InFlightCount > 0)
                continue;
            slot.Image.Reset();
            slot.Image.HardFaultCount = 0;
            ulong limitBytes = clusterBytes + prng.Below(slot.Image.CapacityBytes);
            if (world.Shape.IsVast)
                limitBytes = (ulong)clusterBytes << Shape.VastClustersLog2;
            Fault fault = ScratchSpace.TryCreate(slot.Device, limitBytes, clusterBytes, out ScratchSpace? scratch);
            return fault.IsNone ? scratch : null;
        }
        return null;
    }

    /// <summary>The slot of a space that was drawn; it is taken from here on.</summary>
    public ScratchSlot? Take(ScratchSpace? scratch)
    {
        foreach (ScratchSlot slot in _scratches)
        {
            if (scratch == null || !ReferenceEquals(slot.Device, scratch.Device))
                continue;
            slot.IsTaken = true;
            return slot;
        }
        return null;
    }

    public void Dispose()
    {
        foreach (ScratchSlot scratch in _scratches)
            scratch.Device.Dispose();
        foreach (List<TargetSlot> targets in _targets.Values)
        foreach (TargetSlot target in targets)
            target.Device.Dispose();
    }

    TargetSlot MakeTarget(GuestDisk disk, int index, bool isZeroInitialised)
    {
        ulong capacity = disk.CapacityBytes + (prng.Chance(1, 2) ? prng.Below(20_000) : 0);
        DiskImage image = world.NewImage(capacity, isTarget: true, world.Shape.IsVast);
        image.MayLie = true;
        FileDevice device = world.Open(image, $"target{disk.Index}.{index}", isZeroInitialised);
        if (!isZeroInitialised)
            prng.Fill(image.Content);
        image.MakeDurable();
        return new TargetSlot(image, device, isZeroInitialised);
    }

    ScratchSlot MakeScratch(int index)
    {
        DiskImage image = world.NewImage(16384 + prng.Below(400_000), isTarget: true, world.Shape.IsVast);
        image.IsScratch = true;
        return new ScratchSlot(image, world.Open(image, "scratch" + index, isZeroInitialised: false));
    }
}
