// One host with one disk that traces are run on, one after the other.
using System;
using System.IO;
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Storage;

namespace FastBackup.Tests.Hosts.Traces;

/// <summary>Threads: one.</summary>
sealed class TraceHost : IDisposable
{
    // Only the first cluster or two at once: the rest is still to be copied while guests write.
    const ulong SlowBytesPerSecond = 64 << 10;

    readonly int _sizeBytes;
    readonly IServedDisk _disk;
    readonly NbdClient _live;
    readonly string _targetPath;

    /// <param name="sizeBytes">Of the disk.</param>
    /// <param name="folder">Takes the images.</param>
    /// <param name="serve">Starts the host with the image as disk.</param>
    public TraceHost(int sizeBytes, TempFolder folder, Func<string, IServedDisk> serve)
    {
        _sizeBytes = sizeBytes;
        string name = Guid.NewGuid().ToString("N")[..8];
        // What an earlier trace has left in the target stays there: a backup must overwrite it.
        _targetPath = Disks.Hole(folder[name + ".t"], sizeBytes);
        _disk = serve(Disks.Hole(folder[name], sizeBytes));
        try
        {
            _live = new NbdClient(_disk.SocketPath, NbdExports.Disk);
        }
        catch
        {
            _disk.Dispose();
            throw;
        }
    }

    /// <summary>Runs a trace; what the host does wrong throws.</summary>
    public TraceResult Run(Trace trace)
    {
        DiskModel model = new(_sizeBytes);
        // The disk has what the last trace left, which the first batch clears.
        foreach (TraceBatch batch in trace.Before)
            Run(batch, model, null, []);
        bool[] isTrimmedThen = model.IsTrimmed.ToArray();
        byte[] then = File.ReadAllBytes(_disk.SourcePath);
        model.Settle(then, "the disk at the point in time");
        byte[] pointInTime = trace.IsBackup ? BackUp(trace, model) : View(trace, model, then);
        CompareView(then, 0, pointInTime);
        bool[] isTrimmedNow = model.IsTrimmed.ToArray();
        byte[] now = File.ReadAllBytes(_disk.SourcePath);
        model.Settle(now, "the disk at the end");
        return new TraceResult(pointInTime, isTrimmedThen, now, isTrimmedNow);
    }

    public void Dispose()
    {
        _live.Dispose();
        _disk.Dispose();
    }

    byte[] BackUp(Trace trace, DiskModel model)
    {
        BackupJob job = BackupJob.StartFull(_disk, _targetPath, null, SlowBytesPerSecond);
        foreach (TraceBatch batch in trace.After)
            Run(batch, model, null, []);
        job.Unleash();
        job.Finish();
        return File.ReadAllBytes(_targetPath);
    }

    byte[] View(Trace trace, DiskModel model, byte[] then)
    {
        _disk.BeginSnapshot(_targetPath);
        byte[] whole;
        using (ViewReader view = new(_disk))
        {
            foreach (TraceBatch batch in trace.After)
                Run(batch, model, view, then);
            view.Start(0, (uint)_sizeBytes);
            whole = view.Finish()[0].Content;
        }
        _disk.EndSnapshot();
        return whole;
    }

    void Run(TraceBatch batch, DiskModel model, ViewReader? view, byte[] then)
    {
        NbdRequest[] live = Array.ConvertAll(batch.Live, request => request.ToNbd());
        for (int i = 0; i < Math.Max(live.Length, batch.Views.Length); i++)
        {
            if (i < live.Length)
                _live.Start(live[i]);
            if (i < batch.Views.Length)
                view!.Start(batch.Views[i].OffsetBytes, batch.Views[i].LengthBytes);
        }
        _live.Finish();
        foreach (NbdRequest request in live)
            model.Apply(request);
        if (view == null)
            return;
        foreach ((ulong offset, byte[] content) in view.Finish())
            CompareView(then, (int)offset, content);
    }

    static void CompareView(byte[] then, int offset, ReadOnlySpan<byte> actual)
    {
        if (offset == 0 && actual.Length > then.Length)
            throw new TraceMismatchException($"the disk as it was has {actual.Length} bytes, not {then.Length}");
        int equal = then.AsSpan(offset, actual.Length).CommonPrefixLength(actual);
        if (equal < actual.Length)
            throw new TraceMismatchException(
                $"the disk as it was: byte {offset + equal} is {actual[equal]}, not {then[offset + equal]}"
            );
    }
}
