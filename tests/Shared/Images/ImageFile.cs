// The file of an image in memory, as a disk with a volatile cache keeps it: requests end in any order, a write is
// durable when a flush has ended that was asked for after it, and at a power cut of everything else any sectors are
// there.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Ports;

namespace FastBackup.Tests.Images;

/// <summary>Threads: one.</summary>
sealed class ImageFile : IBlockDevice, ILoopTask
{
    const int SectorBytes = 512;

    sealed class Write(ulong offset, byte[] bytes)
    {
        public ulong Offset => offset;
        public byte[] Bytes => bytes;
        public ulong EndedAt = ulong.MaxValue;
        public bool IsDurable; // by itself; what was there before must not come back
    }

    sealed class Pending(BlockRequest request, Write? write, ulong askedAt, bool isSlow)
    {
        public bool IsSlow => isSlow;
        public BlockRequest Request => request;
        public Write? Write => write;
        public ulong AskedAt => askedAt;
    }

    readonly IIoLoop _loop;
    readonly Prng _chance;
    readonly List<Pending> _pending = [];
    readonly List<Write> _volatile = []; // in the order in which they were asked for, then ended
    byte[] _live;
    byte[] _durable;
    ulong _clock = 1;
    bool _isDeferred;

    /// <param name="loop">Drives it.</param>
    /// <param name="content">Of the file; a copy is kept.</param>
    /// <param name="chance">Of the order.</param>
    public ImageFile(IIoLoop loop, byte[] content, Prng chance)
    {
        (_loop, _chance) = (loop, chance);
        (_live, _durable) = ((byte[])content.Clone(), (byte[])content.Clone());
        Limits = new BlockLimits
        {
            CapacityBytes = (ulong)content.Length,
            RequestAlignBytes = 1,
            BufferAlignBytes = 1,
        };
    }

    public string Name => "image";

    public BlockLimits Limits { get; private set; }

    public uint InFlightCount => (uint)_pending.Count;

    public bool ReadsAsZero => false;

    /// <summary>As it is to who reads it now.</summary>
    public byte[] Content => (byte[])_live.Clone();

    /// <summary>Told of every write and flush that was asked for.</summary>
    public Action? OnStep { get; set; }

    /// <summary>What a request that changes the file or flushes it fails with from now on.</summary>
    public Fault Trouble { get; set; }

    /// <summary>It becomes no longer than this.</summary>
    public ulong BytesMax { get; init; } = int.MaxValue;

    public Fault Grow(ulong capacityBytes)
    {
        if (capacityBytes > BytesMax)
            return new Fault(FaultKind.NoSpace, Errnos.ENOSPC);
        Limits = Limits with { CapacityBytes = capacityBytes };
        return Fault.None;
    }

    public unsafe void Submit(in BlockRequest request)
    {
        Write? write = null;
        bool isIn = new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(Limits.CapacityBytes);
        if (request.Operation.IsWrite() && isIn && Trouble.IsNone)
        {
            byte[] bytes = new byte[request.LengthBytes];
            if (request.Operation == BlockOperation.Write)
                new ReadOnlySpan<byte>((void*)request.Buffer, bytes.Length).CopyTo(bytes); // SAFETY: the caller's
            write = new Write(request.OffsetBytes, bytes);
            _volatile.Add(write);
        }
        _pending.Add(new Pending(request, write, _clock++, isSlow: _chance.Below(30) == 0));
        if (request.Operation.IsWrite() || request.Operation == BlockOperation.Flush)
            OnStep?.Invoke();
        DeferOnce();
    }

    public void Promote(IBlockOwner owner, ulong userData)
    {
        // In any order already.
    }

    public void Dispose() => Check.That(_pending.Count == 0);

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        for (ulong count = 1 + _chance.Below((ulong)_pending.Count); count > 0; count--)
        {
            int at = (int)_chance.Below((ulong)_pending.Count);
            Pending one = _pending[at];
            if (one.IsSlow && _chance.Below(100) != 0)
                continue;
            _pending.RemoveAt(at);
            Fault fault = End(one);
            one.Request.Owner.OnBlockCompleted(one.Request.UserData, new BlockResult(fault));
            if (_pending.Count == 0)
                return;
        }
        DeferOnce();
    }

    void DeferOnce()
    {
        if (_isDeferred || _pending.Count == 0)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }

    Fault End(Pending one)
    {
        BlockRequest request = one.Request;
        bool isFlush = request.Operation == BlockOperation.Flush;
        if (Trouble.IsFault && (isFlush || request.Operation.IsWrite()))
            return Trouble;
        if (isFlush)
            MakeDurable(one.AskedAt);
        else if (!new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(Limits.CapacityBytes))
            return new Fault(FaultKind.Range, 0, request.OffsetBytes);
        else if (request.Operation == BlockOperation.Read)
            return Read(request);
        if (one.Write is not { } write)
            return Fault.None;
        Put(ref _live, write.Offset, write.Bytes);
        // Writes that are under way at once have landed in the order in which they end.
        _ = _volatile.Remove(write);
        int place = _volatile.FindIndex(other => other.EndedAt == ulong.MaxValue);
        _volatile.Insert(place < 0 ? _volatile.Count : place, write);
        write.EndedAt = _clock++;
        write.IsDurable = (request.Flags & BlockFlags.Fua) != 0;
        return Fault.None;
    }

    unsafe Fault Read(in BlockRequest request)
    {
        // As of a real file: what is behind its end is an error, whatever the limits say.
        if (!new Extent(request.OffsetBytes, request.LengthBytes).IsWithin((ulong)_live.Length))
            return new Fault(FaultKind.Truncated, 0, request.OffsetBytes);
        _live
            .AsSpan((int)request.OffsetBytes, (int)request.LengthBytes)
            .CopyTo(new Span<byte>((void*)request.Buffer, (int)request.LengthBytes)); // SAFETY: the caller's
        return Fault.None;
    }

    void MakeDurable(ulong askedAt)
    {
        foreach (Write write in _volatile)
            if (write.EndedAt < askedAt)
                Put(ref _durable, write.Offset, write.Bytes);
        _ = _volatile.RemoveAll(write => write.EndedAt < askedAt);
    }

    static void Put(ref byte[] file, ulong offset, ReadOnlySpan<byte> bytes)
    {
        int end = (int)offset + bytes.Length;
        if (end > file.Length)
            Array.Resize(ref file, end);
        bytes.CopyTo(file.AsSpan((int)offset));
    }

    /// <summary>The file after a power cut now: what is durable, and of the rest any sectors.</summary>
    /// <param name="chance">Which.</param>
    /// <param name="file">Filled in, and made longer where that is needed.</param>
    /// <returns>How long the file is.</returns>
    public int Cut(Prng chance, ref byte[] file)
    {
        if (file.Length < _live.Length + (1 << 20))
            file = new byte[_live.Length + (4 << 20)];
        int bytes = _durable.Length;
        _durable.CopyTo(file, 0);
        ulong share = chance.Below(5); // of 4: none, some, all
        foreach (Write write in _volatile)
        {
            bool isWhole = chance.Below(2) == 0;
            bool isThere = chance.Below(4) < share;
            for (int at = 0; at < write.Bytes.Length; at += SectorBytes)
            {
                int length = Math.Min(SectorBytes, write.Bytes.Length - at);
                if (!write.IsDurable && !(isWhole ? isThere : chance.Below(4) < share))
                    continue;
                int start = (int)write.Offset + at;
                if (start > bytes)
                    file.AsSpan(bytes, start - bytes).Clear();
                write.Bytes.AsSpan(at, length).CopyTo(file.AsSpan(start));
                bytes = Math.Max(bytes, start + length);
            }
        }
        return bytes;
    }
}
