// The header of an image that is open for writing. Who changes a field of it does so here, one after the other, and
// only when what the field names is durable: so no write of the header takes back what another has named, or names what
// is not there yet. All fields are in the first sector, which a power cut leaves as it was or as it is to be.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class HeadWriting
{
    readonly WritableParts _parts;
    readonly FileSteps _steps;
    readonly Queue<(Action Change, Action<Fault> OnEnd)> _waiting = new(); // one of each who asks
    Action<Fault> _onEnd = null!;

    /// <param name="file">Of the image.</param>
    /// <param name="parts">With its header.</param>
    public HeadWriting(IBlockDevice file, WritableParts parts) =>
        (_parts, _steps) = (parts, new FileSteps(file, OnEnd));

    /// <param name="change">Of the header in memory; in its turn.</param>
    /// <param name="onEnd">Told when it is durable, or what went wrong; never at once.</param>
    public void Write(Action change, Action<Fault> onEnd)
    {
        _waiting.Enqueue((change, onEnd));
        StartNext();
    }

    void StartNext()
    {
        if (_steps.IsRunning || !_waiting.TryDequeue(out (Action Change, Action<Fault> OnEnd) next))
            return;
        next.Change();
        _onEnd = next.OnEnd;
        _steps.AddWrite(0, _parts.Head.Start, _parts.HeadBytes);
        _steps.AddFlush();
        _steps.Run();
    }

    void OnEnd(Fault fault)
    {
        Action<Fault> onEnd = _onEnd;
        StartNext();
        onEnd(fault);
    }
}
