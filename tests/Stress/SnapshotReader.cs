// Reads random ranges of a snapshot view and compares them with the copy taken at T0. It lives on the reactor:
// each completion starts the next read.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Memory;

namespace FastBackup.Tests.Stress;

/// <summary>Threads: the reactor's.</summary>
sealed class SnapshotReader(ulong seed, byte[] expected) : IBlockOwner, IDisposable
{
    const int ReadBytesMax = 200_000;

    readonly Prng _prng = new(seed);
    readonly AlignedRegion _buffer = AlignedRegion.Map(ReadBytesMax, RegionResidency.Resident);
    SnapshotView _view = null!;
    Extent _extent;
    bool _isStopping;

    public long ReadCount { get; private set; }

    public long MismatchCount { get; private set; }

    public bool IsIdle { get; private set; } = true;

    public void Start(SnapshotView view)
    {
        _view = view;
        IsIdle = false;
        Next();
    }

    public void Stop() => _isStopping = true;

    public void OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsNone)
        {
            ReadCount++;
            ReadOnlySpan<byte> read = _buffer.Slice(0, (int)_extent.LengthBytes);
            if (!read.SequenceEqual(expected.AsSpan((int)_extent.OffsetBytes, read.Length)))
                MismatchCount++;
        }
        if (_isStopping || result.Fault.IsFault) // the job has ended and the snapshot with it
            IsIdle = true;
        else
            Next();
    }

    public void Dispose() => _buffer.Dispose();

    void Next()
    {
        ulong length = 1 + _prng.Below(Math.Min(ReadBytesMax, (ulong)expected.Length));
        _extent = new Extent(_prng.Below((ulong)expected.Length - length + 1), length);
        BlockRequest request = new()
        {
            Operation = BlockOperation.Read,
            OffsetBytes = _extent.OffsetBytes,
            LengthBytes = length,
            Buffer = _buffer.Start,
            Owner = this,
        };
        _view.Submit(request);
    }
}
