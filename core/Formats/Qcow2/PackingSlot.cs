// One cluster on its way through the crew: from the buffer of its request into memory of this slot.
using System;
using FastBackup.Ports;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's; RunOnCrew one of the crew's from Start until the loop is told.</summary>
sealed class PackingSlot : ICrewWork, ILoopTask
{
    readonly ClusterPacker _packer;
    readonly nint _packed;
    nint _plain;

    /// <param name="packer">Whose it is.</param>
    /// <param name="packed">ClusterDeflater.PackedBytesRoom of memory that outlives it.</param>
    public PackingSlot(ClusterPacker packer, nint packed)
    {
        (_packer, _packed) = (packer, packed);
        Done = new StandingPost(this);
    }

    public StandingPost Done { get; }

    /// <summary>Of the request.</summary>
    public ulong Key { get; private set; }

    /// <summary>Where on the disk.</summary>
    public ulong OffsetBytes { get; private set; }

    public bool IsDone { get; private set; }

    /// <summary>0: it is not worth it.</summary>
    public int PackedBytes { get; private set; }

    /// <summary>What came of it.</summary>
    public unsafe ReadOnlySpan<byte> Packed => new((void*)_packed, PackedBytes); // SAFETY: see the constructor

    public void Begin(ulong key, ulong offsetBytes, nint plain) =>
        (Key, OffsetBytes, _plain, IsDone) = (key, offsetBytes, plain, false);

    unsafe void ICrewWork.RunOnCrew()
    {
        ClusterDeflater deflater = _packer.Rent();
        // SAFETY: the request keeps its buffer until it has ended, which waits for this; the rest as above.
        PackedBytes = deflater.Deflate(
            new ReadOnlySpan<byte>((void*)_plain, (int)NewImageShape.ClusterBytes),
            new Span<byte>((void*)_packed, ClusterDeflater.PackedBytesRoom)
        );
        _packer.Return(deflater);
    }

    void ILoopTask.Run(ulong argument)
    {
        if (argument == ClusterPacker.OnLoop)
            ((ICrewWork)this).RunOnCrew();
        IsDone = true;
        _packer.OnDone();
    }
}
