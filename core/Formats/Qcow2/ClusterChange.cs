// Clusters on their way to a place of their own: what a request does not write of them is read first, then all of it is
// written, and only when that has ended the table in memory names the new place. Meanwhile whoever else would change
// one of these clusters waits here, and nobody else.
using System;
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's. Used again.</summary>
sealed class ClusterChange : IBlockOwner
{
    Action<ClusterChange, Fault> _onEnd = null!;
    IBlockDevice _data = null!;
    bool _isRead;

    public bool IsActive { get; private set; }

    public Qcow2Slot Slot { get; private set; } = null!;

    /// <summary>Others that would change these clusters.</summary>
    public WaitList Waiting;

    /// <summary>Of the disk.</summary>
    public ulong FirstCluster { get; set; }

    public uint Count { get; set; }

    /// <summary>Where their entries are; pinned.</summary>
    public ulong PieceHostBytes { get; set; }

    public int Index { get; set; }

    /// <summary>Where the first of them comes to lie; the others follow.</summary>
    public ulong HostBytes { get; set; }

    /// <summary>The place was taken for this.</summary>
    public bool IsNewPlace { get; set; }

    /// <summary>Parts of a cluster that lie there after it; of one without parts all bits.</summary>
    public uint Stored { get; set; }

    /// <summary>The buffer that the whole is put together in; -1: it is written as it comes.</summary>
    public int Bounce { get; set; }

    /// <summary>What is written: from the cluster's start.</summary>
    public (ulong Start, ulong End) Written { get; set; }

    /// <summary>What the request brings: from the cluster's start.</summary>
    public (ulong Start, ulong Length) Brought { get; set; }

    /// <summary>What the request brings; 0: zeroes.</summary>
    public nint Source { get; set; }

    /// <summary>Of the bounce buffer.</summary>
    public nint Buffer { get; set; }

    public void Take(Qcow2Slot slot)
    {
        (Slot, IsActive, Count) = (slot, true, 0);
        (Bounce, Buffer, Source, IsNewPlace, Stored) = (-1, 0, 0, false, uint.MaxValue);
    }

    public void Free() => IsActive = false;

    public bool Has(ulong cluster) => IsActive && cluster - FirstCluster < Count;

    /// <param name="data">Written to.</param>
    /// <param name="owner">Reads what is there.</param>
    /// <param name="read">From the cluster's start; empty: nothing.</param>
    /// <param name="clusterStart">On the disk.</param>
    /// <param name="onEnd">Told of the end.</param>
    public void Start(
        IBlockDevice data,
        IImageOwner owner,
        (ulong Start, ulong End) read,
        ulong clusterStart,
        Action<ClusterChange, Fault> onEnd
    )
    {
        (_data, _onEnd) = (data, onEnd);
        _isRead = read.Start >= read.End;
        if (Bounce >= 0)
            Clear();
        if (_isRead)
            Write();
        else
            owner.ReadDisk(
                clusterStart + read.Start,
                read.End - read.Start,
                Buffer + (nint)read.Start,
                Slot.Request.Lane,
                this
            );
    }

    unsafe void Clear() =>
        // SAFETY: a cluster of memory that is this change's until it ends.
        new Span<byte>((void*)Buffer, (int)Written.End).Clear();

    unsafe void Fill()
    {
        Span<byte> brought = new((void*)(Buffer + (nint)Brought.Start), (int)Brought.Length); // SAFETY: as in Clear
        if (Source == 0)
            brought.Clear();
        else
            // SAFETY: the request's own buffer, ours until its completion.
            new ReadOnlySpan<byte>((void*)Source, (int)Brought.Length).CopyTo(brought);
    }

    void Write()
    {
        if (Bounce >= 0)
            Fill();
        BlockRequest request = default;
        request.Operation = Bounce < 0 && Source == 0 ? BlockOperation.WriteZeroes : BlockOperation.Write;
        request.Flags = Slot.Request.Flags & BlockFlags.MayUnmap;
        request.Lane = Slot.Request.Lane;
        request.OffsetBytes = HostBytes + Written.Start;
        request.LengthBytes = Written.End - Written.Start;
        request.Buffer = Bounce >= 0 ? Buffer + (nint)Written.Start : Source;
        request.Owner = this;
        _data.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsFault || _isRead)
        {
            _onEnd(this, result.Fault);
            return;
        }
        _isRead = true;
        Write();
    }
}
