// A device that remembers what was written to it between which flushes, so that a test can cut the power anywhere: what
// was flushed before is there, of the rest any part may be. One of its writes and flushes can be told to have failed.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Tests.Unit.Formats;

sealed class RecordedDevice(IBlockDevice inner) : IBlockDevice
{
    /// <summary>Bytes null: a flush.</summary>
    sealed class Failing(IBlockOwner owner) : IBlockOwner
    {
        public void OnBlockCompleted(ulong userData, in BlockResult result) =>
            owner.OnBlockCompleted(userData, new BlockResult(new Fault(FaultKind.Io, Errnos.EIO)));
    }

    readonly List<(ulong Offset, byte[]? Bytes)> _steps = [];

    public string Name => inner.Name;

    public BlockLimits Limits => inner.Limits;

    public uint InFlightCount => inner.InFlightCount;

    public bool ReadsAsZero => inner.ReadsAsZero;

    public int StepCount => _steps.Count;

    /// <summary>The write or flush whose owner is told that it failed, from 0; null: none.</summary>
    public int? FailingStep { get; set; }

    public unsafe void Submit(in BlockRequest request)
    {
        if (request.Operation == BlockOperation.Write)
            _steps.Add(
                // SAFETY: the request's own buffer.
                (request.OffsetBytes, new Span<byte>((void*)request.Buffer, (int)request.LengthBytes).ToArray())
            );
        else if (request.Operation == BlockOperation.WriteZeroes)
            _steps.Add((request.OffsetBytes, new byte[request.LengthBytes]));
        else if (request.Operation == BlockOperation.Flush)
            _steps.Add((0, null));
        BlockRequest handed = request;
        if (_steps.Count - 1 == FailingStep)
        {
            handed.Owner = new Failing(request.Owner);
            FailingStep = null;
        }
        inner.Submit(handed);
    }

    /// <summary>The file after a power cut.</summary>
    /// <param name="stepCount">That had been asked for.</param>
    /// <param name="lengthBytes">Of the file.</param>
    /// <param name="chance">What of the unflushed is there.</param>
    public byte[] Cut(int stepCount, int lengthBytes, Prng chance)
    {
        byte[] file = new byte[lengthBytes];
        int flushed = _steps.FindLastIndex(Math.Max(stepCount - 1, 0), one => one.Bytes == null);
        for (int i = 0; i < stepCount; i++)
            if (_steps[i].Bytes is { } bytes && (i < flushed || chance.Below(2) == 0))
                bytes
                    .AsSpan(0, Math.Min(bytes.Length, Math.Max(0, lengthBytes - (int)_steps[i].Offset)))
                    .CopyTo(file.AsSpan((int)_steps[i].Offset));
        return file;
    }

    public void Promote(IBlockOwner owner, ulong userData) => inner.Promote(owner, userData);

    public void Dispose() => inner.Dispose();
}
