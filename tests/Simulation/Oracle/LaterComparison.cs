// O21: what the command's comparison is for. A device may say that it has written what it has not, or what went
// elsewhere; a job cannot know, as long as caches show what they were told. Later, with the disk at T0 and nothing but
// the medium to be read, the comparison must name the first byte that differs, or none.
// A world of its own, with its own port and clock; what it may not do is fail.
using System;
using FastBackup.Base;
using FastBackup.Cli;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Runtime;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Oracle;

sealed class LaterComparison(ImageStore store, Prng prng, Tallies tallies)
{
    const uint BufferBytes = 64 * 1024;
    const int TurnsMax = 100_000;

    readonly FaultPlan _plan = new()
    {
        Short = 2048,
        Again = 512,
        Interrupted = 512,
        MapSplit = 4,
        LatencyNs = 50_000,
    };

    /// <param name="job">Its name.</param>
    /// <param name="frozen">The disk at T0.</param>
    /// <param name="medium">What is really on the target; as long, or longer.</param>
    public void Check(string job, ReadOnlySpan<byte> frozen, ReadOnlySpan<byte> medium)
    {
        SimulatedClock clock = new();
        using SimulationPort port = new(clock, prng, _plan, tallies, 64);
        using Reactor reactor = new(port, clock, new ReactorLimits(128, 2, 2));
        Base.Check.That(BufferPool.TryCreate(BufferBytes, BufferBytes, 8, out BufferPool? pool).IsNone);
        using FileDevice left = Open(port, reactor, 1, frozen);
        using FileDevice right = Open(port, reactor, 2, medium);
        bool hasEnded = false;
        using (Comparison comparison = new(left, right, pool!, () => hasEnded = true))
        {
            comparison.Start();
            for (int turn = 0; !hasEnded && turn < TurnsMax; turn++)
                reactor.Turn(Units.NsPerSecond);
            Judge(job, comparison, hasEnded, frozen.CommonPrefixLength(medium), frozen.Length);
        }
        pool!.Dispose();
    }

    void Judge(string job, Comparison comparison, bool hasEnded, int sameBytes, int lengthBytes)
    {
        ulong expected = sameBytes == lengthBytes ? Comparison.NoDifference : (ulong)sameBytes;
        if (!hasEnded || comparison.Fault.IsFault || comparison.FirstDifference != expected)
            throw new SimulationFailure(
                "O21",
                $"the comparison of {job} ended {hasEnded} '{comparison.Fault}' with a difference at "
                    + $"{comparison.FirstDifference}, not {expected}"
            );
        tallies.Count(sameBytes == lengthBytes ? Branch.ComparedSame : Branch.ComparedDifferent);
    }

    FileDevice Open(SimulationPort port, Reactor reactor, int fd, ReadOnlySpan<byte> content)
    {
        DiskImage image = new(store, fd, (ulong)content.Length, prng.Chance(1, 2) ? 512u : 4096u, isTarget: false);
        for (int offset = 0; offset < content.Length; offset += (int)DiskImage.BlockBytes)
        {
            int length = Math.Min((int)DiskImage.BlockBytes, content.Length - offset);
            ReadOnlySpan<byte> block = content.Slice(offset, length);
            if (block.ContainsAnyExcept((byte)0) || prng.Chance(1, 4)) // else a hole
                image.Write((ulong)offset, block);
        }
        port.Add(image);
        BlockLimits limits = new()
        {
            CapacityBytes = image.CapacityBytes,
            RequestAlignBytes = image.AlignBytes,
            BufferAlignBytes = image.AlignBytes,
        };
        return new FileDevice(reactor, "compared" + fd, limits, image.Handle, image.BufferedHandle, false, null);
    }
}
