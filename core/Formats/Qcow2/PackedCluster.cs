// One compressed cluster on its way: read, then unpacked on the crew, either into the buffer of who asked for all of it
// or into memory of its own, where it stays for those who ask for other parts until that is needed again.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's; RunOnCrew one of the crew's while IsBusy.</summary>
sealed class PackedCluster : ICrewWork, ILoopTask, IBlockOwner, IDisposable
{
    readonly IIoLoop _loop;
    readonly IBlockDevice _file;
    readonly IImageOwner _owner;
    readonly WorkCrew? _crew;
    readonly Action<PackedCluster, Fault> _onEnd;
    readonly StandingPost _done;
    readonly ClusterInflater _inflater;
    readonly nint _packed;
    readonly nint _plain;
    readonly int _clusterBytes;
    uint _skippedBytes; // of what was read, before the packed cluster begins
    uint _packedBytes;
    nint _target;
    bool _isWhole;

    /// <param name="loop">Where it comes back.</param>
    /// <param name="file">Read from.</param>
    /// <param name="owner">Knows how long it is.</param>
    /// <param name="header">Of the image.</param>
    /// <param name="crew">Null: unpacked on the loop.</param>
    /// <param name="memory">MemoryBytes of it; outlives this.</param>
    /// <param name="onEnd">Told of the end, with what went wrong.</param>
    public PackedCluster(
        IIoLoop loop,
        IBlockDevice file,
        IImageOwner owner,
        Qcow2Header header,
        WorkCrew? crew,
        nint memory,
        Action<PackedCluster, Fault> onEnd
    )
    {
        (_loop, _file, _owner, _crew, _onEnd) = (loop, file, owner, crew, onEnd);
        _clusterBytes = (int)header.ClusterBytes;
        _inflater = new ClusterInflater(header.Compression);
        (_plain, _packed) = (memory, memory + (nint)PlainBytes(header));
        _done = new StandingPost(this);
    }

    public bool IsBusy { get; private set; }

    /// <summary>Of the packed cluster that is in memory, or comes there; 0: none. No cluster lies at 0.</summary>
    public ulong HostBytes { get; set; }

    /// <summary>Who has all of it unpacked into his buffer; null: it comes to memory.</summary>
    public Qcow2Slot? Whose { get; private set; }

    /// <summary>For parts of it.</summary>
    public WaitList Waiting;

    /// <summary>It was asked for since somebody looked for memory.</summary>
    public bool IsUsed { get; set; }

    /// <summary>What is kept.</summary>
    public unsafe ReadOnlySpan<byte> Plain => new((void*)_plain, _clusterBytes); // SAFETY: outlives this object

    /// <param name="run">Where it lies; at least a byte of it in the file.</param>
    /// <param name="lane">Of who asks.</param>
    /// <param name="whose">All of it goes to his buffer; null: to memory.</param>
    /// <param name="buffer">His.</param>
    public void Start(in ClusterRun run, IoLane lane, Qcow2Slot? whose, nint buffer)
    {
        Check.That(!IsBusy);
        (IsBusy, Whose, HostBytes) = (true, whose, whose == null ? run.HostBytes : 0);
        _target = whose == null ? _plain : buffer;
        ulong align = _file.Limits.RequestAlignBytes;
        ulong startBytes = Units.AlignDown(run.HostBytes, align);
        ulong endBytes = Math.Min(run.HostBytes + run.PackedBytes, _owner.DataFileBytes);
        (_skippedBytes, _packedBytes) = ((uint)(run.HostBytes - startBytes), (uint)(endBytes - run.HostBytes));
        endBytes = Math.Min(Units.AlignUp(endBytes, align), _owner.DataFileBytes);
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        request.Lane = lane;
        request.OffsetBytes = startBytes;
        request.LengthBytes = endBytes - startBytes;
        request.Buffer = _packed;
        request.Owner = this;
        _file.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsFault)
            End(result.Fault);
        else if (_crew == null)
            _loop.Defer(this, 1);
        else
            _crew.Push(this, _loop, _done);
    }

    unsafe void ICrewWork.RunOnCrew()
    {
        // SAFETY: memory of this object, or a buffer that its request keeps until this has come back to the loop.
        Span<byte> plain = new((void*)_target, _clusterBytes);
        ReadOnlySpan<byte> packed = new((void*)(_packed + (nint)_skippedBytes), (int)_packedBytes);
        _isWhole = _inflater.TryInflate(packed, plain);
    }

    void ILoopTask.Run(ulong argument)
    {
        if (argument == 1)
            ((ICrewWork)this).RunOnCrew();
        End(_isWhole ? Fault.None : new Fault(FaultKind.Io, Errnos.EIO));
    }

    void End(Fault fault)
    {
        IsBusy = false;
        _onEnd(this, fault);
    }

    /// <summary>What one of them takes: a cluster, and packed two at most with what a direct read adds.</summary>
    public static ulong MemoryBytes(Qcow2Header header, IBlockDevice file) =>
        PlainBytes(header)
        + Units.AlignUp(2 * header.ClusterBytes + 2 * (ulong)file.Limits.RequestAlignBytes, AlignedRegion.PageBytes);

    static ulong PlainBytes(Qcow2Header header) => Units.AlignUp(header.ClusterBytes, AlignedRegion.PageBytes);

    public void Dispose() => _inflater.Dispose();
}
