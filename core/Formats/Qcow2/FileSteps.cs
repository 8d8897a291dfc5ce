// A few writes and flushes of an image's file, one after the other: for what happens seldom and needs an order.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
/// <param name="file">Written to.</param>
/// <param name="onEnd">Told once a run, with what went wrong.</param>
sealed class FileSteps(IBlockDevice file, Action<Fault> onEnd) : IBlockOwner
{
    readonly Queue<BlockRequest> _steps = new();

    public bool IsRunning { get; private set; }

    /// <param name="offsetBytes">In the file.</param>
    /// <param name="buffer">Kept by the caller until the end.</param>
    /// <param name="lengthBytes">Of it.</param>
    public void AddWrite(ulong offsetBytes, nint buffer, ulong lengthBytes)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Write;
        request.OffsetBytes = offsetBytes;
        request.LengthBytes = lengthBytes;
        request.Buffer = buffer;
        request.Owner = this;
        _steps.Enqueue(request);
    }

    public void AddFlush()
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Flush;
        request.Owner = this;
        _steps.Enqueue(request);
    }

    /// <summary>At least one step was added.</summary>
    public void Run()
    {
        Check.That(!IsRunning);
        IsRunning = true;
        file.Submit(_steps.Dequeue());
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        if (result.Fault.IsNone && _steps.TryDequeue(out BlockRequest next))
        {
            file.Submit(next);
            return;
        }
        _steps.Clear();
        IsRunning = false;
        onEnd(result.Fault);
    }
}
