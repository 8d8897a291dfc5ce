// The oracle's side of one filter: a frozen copy of the disk at T0, and what is known of its old data.
// Before a source write may be submitted, the old data of its sectors must be on the target, or, under
// break-snapshot, in the engine's memory: bytes are compared, no bit of the engine is trusted for it.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Control;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Oracle;

sealed class PointInTime
{
    readonly byte[] _frozen;
    readonly bool[] _isVerified; // per sector
    readonly byte[] _claims;
    readonly bool[] _isAsked; // per cluster
    readonly CopyBeforeWriteFilter _filter;
    readonly FilterOptions _options;
    readonly Tallies _tallies;
    readonly byte[] _scratch;
    readonly uint _powerCuts;

    public PointInTime(
        BackupJob job,
        BackupOptions options,
        byte[] frozen,
        DiskImage? source,
        DiskImage target,
        Tallies tallies,
        byte[] scratch
    )
    {
        (_filter, _options, _frozen, Target, _tallies, _scratch) = (
            job.Filter,
            options.Filter,
            frozen,
            target,
            tallies,
            scratch
        );
        Sync = options.Sync;
        _powerCuts = target.PowerCutCount;
        ClusterCount = (int)_filter.Map.ClusterCount;
        _isVerified = new bool[Units.DivCeil(SizeBytes, Sector.Bytes)];
        _claims = new byte[ClusterCount];
        _isAsked = new bool[ClusterCount];
        IsMember = new bool[ClusterCount];
        IsSkipped = new bool[ClusterCount];
        IsDiscarded = new bool[ClusterCount];
        IsHole = new bool[ClusterCount];
        IsKnownZero = new bool[ClusterCount];
        for (int c = 0; c < ClusterCount; c++)
        {
            Extent bytes = Bytes(c);
            IsMember[c] = true;
            IsHole[c] = source != null && source.IsHole(bytes.OffsetBytes, bytes.LengthBytes);
        }
    }

    public DiskImage Target { get; }
    public ScratchSlot? Scratch { get; init; }
    public BackupSync Sync { get; }
    public int ClusterCount { get; }
    public bool[] IsMember { get; }

    /// <summary>The engine said that it needs no copy.</summary>
    public bool[] IsSkipped { get; }

    /// <summary>A reader of the snapshot gave it up.</summary>
    public bool[] IsDiscarded { get; }
    public bool[] IsHole { get; }

    /// <summary>The engine said that it was zero, and that nothing else need be kept of it.</summary>
    public bool[] IsKnownZero { get; }
    public bool IsBroken { get; set; }

    public CopyBeforeWriteFilter Filter => _filter;

    public CbwErrorPolicy Policy => _options.OnCbwError;
    public ulong WaitLimitNs => _options.CbwTimeoutMs * Units.NsPerMs;
    public ulong SizeBytes => _filter.Map.SizeBytes;
    public ulong ClusterBytes => _filter.Map.ClusterBytes;
    public byte[] FrozenArray => _frozen;
    public ReadOnlySpan<byte> Frozen => _frozen.AsSpan(0, (int)SizeBytes);

    public bool IsZero(in Extent extent) => !Slice(extent).ContainsAnyExcept((byte)0);

    public Extent Bytes(int cluster) => _filter.Map.Bytes((ulong)cluster, 1);

    public void Clusters(in Extent extent, out int first, out int end)
    {
        first = (int)(extent.OffsetBytes / ClusterBytes);
        end = extent.IsEmpty ? first : (int)Units.DivCeil(extent.EndBytes, ClusterBytes);
    }

    public bool Touches(in Extent extent)
    {
        Clusters(extent, out int first, out int end);
        for (int c = first; c < end; c++)
            if (IsMember[c])
                return true;
        return false;
    }

    /// <summary>A guest wants to change the range.</summary>
    public void OnAsked(in Extent extent)
    {
        Clusters(extent, out int first, out int end);
        end = Math.Min(end, ClusterCount);
        for (int c = first; c < end; c++)
            _isAsked[c] = true;
    }

    /// <summary>Whether guests have wanted to change each cluster of the range.</summary>
    public bool IsAsked(in Extent extent)
    {
        Clusters(extent, out int first, out int end);
        return !_isAsked.AsSpan(first, end - first).Contains(false);
    }

    /// <summary>O2, O3: a change of the source is on its way to the device.</summary>
    public void OnSourceChange(in Extent extent)
    {
        if (IsBroken || _filter.IsBroken)
            return;
        Clusters(extent, out int first, out int end);
        for (int c = first; c < end; c++)
            OnSourceChange(c, extent);
    }

    /// <summary>O21: who is told early waits for nobody but the source, and cannot be failed.</summary>
    public void OnAbsorb(in Extent extent)
    {
        if (IsBroken || _filter.IsBroken)
            return;
        if (Policy == CbwErrorPolicy.BreakGuestWrite)
            throw new SimulationFailure("O21", "a write is answered early that this point in time may fail");
        Clusters(extent, out int first, out int end);
        for (int c = first; c < end; c++)
            if (_filter.Map.IsProtectedNow(Bytes(c)) && _filter.Map.Todo.GetBit((ulong)c))
                if (_filter.Engine.Blocks?.IsOnItsWay((ulong)c, extent) != true)
                    throw new SimulationFailure("O21", $"a write is answered early, and nobody reads cluster {c}");
    }

    /// <summary>Under break-guest-write a cluster is safe as a whole, else what is overwritten of it.</summary>
    void OnSourceChange(int cluster, in Extent extent)
    {
        Extent whole = Bytes(cluster);
        (ulong start, ulong end) = (whole.OffsetBytes, whole.EndBytes);
        if (Policy == CbwErrorPolicy.BreakSnapshot)
        {
            start = Math.Max(start, Units.AlignDown(extent.OffsetBytes, Sector.Bytes));
            end = Math.Min(end, Units.AlignUp(extent.EndBytes, Sector.Bytes));
        }
        while (start < end)
        {
            bool isVerified = _isVerified[start / Sector.Bytes];
            ulong runEnd = start;
            while (runEnd < end && _isVerified[runEnd / Sector.Bytes] == isVerified)
            {
                _isVerified[runEnd / Sector.Bytes] = true;
                runEnd = Math.Min(end, runEnd + Sector.Bytes);
            }
            if (!isVerified)
                Verify(cluster, new Extent(start, runEnd - start));
            start = runEnd;
        }
    }

    void Verify(int cluster, in Extent bytes)
    {
        bool isTopHole = Sync == BackupSync.Top && IsHole[cluster];
        if (!IsMember[cluster] || IsDiscarded[cluster] || isTopHole)
            return;
        if (IsSkipped[cluster] || Target.PowerCutCount != _powerCuts)
            return;
        ReadOnlySpan<byte> frozen = Slice(bytes);
        if (frozen.SequenceEqual(Target.Content.Slice((int)bytes.OffsetBytes, (int)bytes.LengthBytes)))
        {
            _tallies.Count(Branch.CopiedBeforeWriteVerified);
            return;
        }
        bool isKnownZero = IsKnownZero[cluster] && !frozen.ContainsAnyExcept((byte)0);
        if (Policy == CbwErrorPolicy.BreakGuestWrite && !isKnownZero)
            throw new SimulationFailure("O2", $"guest write let in before the target had cluster {cluster}");
        Span<byte> captured = _scratch.AsSpan(0, (int)bytes.LengthBytes);
        int done = 0;
        while (done < captured.Length)
        {
            int copied = ReadCaptured(bytes.OffsetBytes + (ulong)done, captured[done..]);
            if (copied == 0)
                break;
            done += copied;
        }
        if (done < captured.Length || !captured.SequenceEqual(frozen))
            throw new SimulationFailure(
                "O3",
                $"guest write let in before {bytes.OffsetBytes}+{bytes.LengthBytes} was captured ({done} bytes)"
            );
        _tallies.Count(isKnownZero ? Branch.HoleOverwritten : Branch.CapturedVerifiedInMemory);
    }

    /// <summary>From the engine's memory, or from what its scratch file holds.</summary>
    int ReadCaptured(ulong offsetBytes, Span<byte> captured)
    {
        CopyEngine engine = _filter.Engine;
        if (engine.PlaceOf(offsetBytes / ClusterBytes) != CapturedPlace.Scratch)
            return (int)engine.ReadCaptured(offsetBytes, captured);
        uint entry = engine.PinScratch(offsetBytes, out _, out ulong at, out ulong lengthBytes);
        int count = (int)Math.Min(lengthBytes, (ulong)captured.Length);
        Scratch!.Image.Content.Slice((int)at, count).CopyTo(captured);
        engine.UnpinScratch(entry);
        _tallies.Count(Branch.CapturedVerifiedInScratch);
        return count;
    }

    /// <summary>O8: nothing is copied twice, unless its first copy failed.</summary>
    public void OnClaim(in Extent extent)
    {
        Clusters(extent, out int first, out int end);
        for (int c = first; c < end; c++)
        {
            if (_claims[c]++ != 0)
                throw new SimulationFailure("O8", $"cluster {c} is copied twice");
            if (!IsMember[c])
                throw new SimulationFailure("O8", $"cluster {c} is copied and is not part of the job");
        }
    }

    /// <summary>O3: what guests may overwrite without a copy was zero.</summary>
    public void OnKnownZero(string job, in Extent extent)
    {
        if (!IsZero(extent))
            throw new SimulationFailure(
                "O3",
                $"{job} takes {extent.OffsetBytes}+{extent.LengthBytes} for zero, where T0 had data"
            );
        Clusters(extent, out int first, out int end);
        IsKnownZero.AsSpan(first, end - first).Fill(true);
    }

    public void OnSetBack(in Extent extent)
    {
        Clusters(extent, out int first, out int end);
        for (int c = first; c < end; c++)
            _claims[c] = 0;
    }

    public void OnSkip(in Extent extent)
    {
        Clusters(extent, out int first, out int end);
        for (int c = first; c < end; c++)
            IsSkipped[c] = true;
    }

    /// <summary>O1, O12: what a power cut would leave of the target is T0, where the mode covers it.</summary>
    /// <param name="job">Its name.</param>
    /// <param name="isWholeChain">Clusters that are not part of this job too: earlier ones copied them.</param>
    public void CheckTarget(string job, bool isWholeChain)
    {
        if (Target.Durable[..(int)SizeBytes].SequenceEqual(Frozen))
            return;
        for (int c = 0; c < ClusterCount; c++)
        {
            bool isTopHole = Sync == BackupSync.Top && IsHole[c];
            if (IsDiscarded[c] || isTopHole || (!IsMember[c] && !isWholeChain))
                continue;
            Extent bytes = Bytes(c);
            ReadOnlySpan<byte> frozen = Slice(bytes);
            ReadOnlySpan<byte> durable = Target.Durable.Slice((int)bytes.OffsetBytes, (int)bytes.LengthBytes);
            if (durable.SequenceEqual(frozen))
                continue;
            int at = durable.CommonPrefixLength(frozen);
            ReadOnlySpan<byte> visible = Target.Content.Slice((int)bytes.OffsetBytes, (int)bytes.LengthBytes);
            string rule =
                !IsMember[c] ? "O6"
                : visible.SequenceEqual(frozen) ? "O12"
                : "O1";
            int sector = at & ~(Sector.Bytes - 1);
            int length = Math.Min(Sector.Bytes, frozen.Length - sector);
            throw new SimulationFailure(
                rule,
                $"{job}: cluster {c} differs at byte {bytes.OffsetBytes + (ulong)at}: target has "
                    + $"{Sector.Describe(durable.Slice(sector, length))}, T0 was "
                    + Sector.Describe(frozen.Slice(sector, length))
            );
        }
    }

    /// <summary>O1 of each change of the target, also by a job that fails: a later one takes it for T0.</summary>
    /// <param name="job">Its name.</param>
    /// <param name="extent">Where.</param>
    /// <param name="bytes">What will be there; empty: zeroes.</param>
    public void CheckWrite(string job, in Extent extent, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> frozen = Frozen[(int)Math.Min(extent.OffsetBytes, SizeBytes)..];
        frozen = frozen[..(int)Math.Min(extent.LengthBytes, (ulong)frozen.Length)];
        bool isT0 = bytes.IsEmpty
            ? !frozen.ContainsAnyExcept((byte)0)
            : frozen.SequenceEqual(bytes[..Math.Min(bytes.Length, frozen.Length)]);
        if (!isT0)
            throw new SimulationFailure(
                "O1",
                $"{job} writes to {extent.OffsetBytes}+{extent.LengthBytes} of its target what T0 did not have"
            );
        _tallies.Count(Branch.TargetWriteVerified);
    }

    /// <summary>O1 for a read of the snapshot.</summary>
    public void CheckRead(in Extent extent, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> frozen = Slice(extent);
        if (bytes.SequenceEqual(frozen))
            return;
        int at = bytes.CommonPrefixLength(frozen);
        int length = Math.Min(24, bytes.Length - at);
        throw new SimulationFailure(
            "O1",
            $"snapshot read {extent.OffsetBytes}+{extent.LengthBytes} differs at {extent.OffsetBytes + (ulong)at}: "
                + $"read {Convert.ToHexString(bytes.Slice(at, length))}, "
                + $"T0 {Convert.ToHexString(frozen.Slice(at, length))}"
        );
    }

    /// <summary>O1 for what the map of the snapshot calls a hole.</summary>
    public void CheckHole(in Extent extent)
    {
        if (Slice(extent).ContainsAnyExcept((byte)0))
            throw new SimulationFailure(
                "O1",
                $"the map of the snapshot calls {extent.OffsetBytes}+{extent.LengthBytes} a hole, where T0 had data"
            );
    }

    ReadOnlySpan<byte> Slice(in Extent extent) => _frozen.AsSpan((int)extent.OffsetBytes, (int)extent.LengthBytes);
}
