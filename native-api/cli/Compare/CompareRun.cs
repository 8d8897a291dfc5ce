// One comparison from two paths to a verdict: open both read-only, compare, give everything back.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class CompareRun(
    string left,
    string right,
    bool isLockIgnored,
    FormatRule format,
    RemoteOpenOptions remote,
    Output output,
    Interruption interruption
)
{
    const ulong UsualMemoryBytes = 32 * Units.MiB;
    const uint ChunkBytes = (uint)Units.MiB;

    IBlockDevice? _left;
    IBlockDevice? _right;

    public CompareResult Execute()
    {
        ulong memoryBytes = Engine.BufferBytesDefault(UsualMemoryBytes);
        string? sentence = WorkEngine.TryOpen(memoryBytes, ChunkBytes, UsualMemoryBytes, out Engine? engine);
        if (sentence != null)
            return CompareResult.Refused(sentence, new Fault(FaultKind.NoMemory));
        try
        {
            OpenRefusal refusal = SourceDisk.TryOpen(
                engine!.Reactor,
                left,
                "first disk",
                isLockIgnored,
                format,
                out _left,
                remote: remote
            );
            if (refusal.IsNone)
                refusal = SourceDisk.TryOpen(
                    engine.Reactor,
                    right,
                    "second disk",
                    isLockIgnored,
                    format,
                    out _right,
                    remote: remote
                );
            WarnOfMark(left, _left);
            WarnOfMark(right, _right);
            return refusal.IsNone ? Run(engine) : CompareResult.Refused(refusal.Sentence, refusal.Fault);
        }
        finally
        {
            if (engine!.Reactor.Failure == null)
            {
                engine.Reactor.Invoke(CloseAll);
                engine.Dispose();
            }
        }
    }

    void WarnOfMark(string path, IBlockDevice? disk)
    {
        if (disk != null && SourceDisk.IsUnfinished(disk))
            output.Warning($"'{path}' is marked as unfinished: a backup onto it has not ended well");
    }

    CompareResult Run(Engine engine)
    {
        using ManualResetEvent ended = new(false);
        Comparison comparison = new(_left!, _right!, engine.Pool, () => ended.Set());
        ulong leftBytes = _left!.Limits.CapacityBytes;
        ulong rightBytes = _right!.Limits.CapacityBytes;
        ulong commonBytes = Math.Min(leftBytes, rightBytes);
        output.Event(
            new StartEvent(
                "start",
                "compare",
                left,
                right,
                commonBytes,
                engine.Reactor.FileIo.Name,
                SourceDisk.IsDirect(_left),
                SourceDisk.IsDirect(_right)
            ),
            JsonEvents.Readable.StartEvent
        );
        WorkEngine.Warn(engine, output);
        SourceDisk.WarnOfUse(_left, "first disk", output);
        SourceDisk.WarnOfUse(_right, "second disk", output);
        long start = Stopwatch.GetTimestamp();
        TimeSpan cpuStart = Environment.CpuUsage.TotalTime;
        IProgressView view = output.CreateView();
        view.Run(
            "compare",
            commonBytes,
            show =>
            {
                engine.Reactor.Invoke(comparison.Start);
                WorkEngine.Wait(
                    engine,
                    ended,
                    interruption,
                    comparison.Cancel,
                    view.IntervalMs,
                    () => show(comparison.Query())
                );
            }
        );
        CompareResult result = new(
            RunStatus.Done,
            null,
            default,
            leftBytes,
            rightBytes,
            null,
            comparison.Query(),
            Stopwatch.GetElapsedTime(start).TotalSeconds,
            (Environment.CpuUsage.TotalTime - cpuStart).TotalSeconds
        );
        if (engine.Reactor.Failure == null)
            engine.Reactor.Invoke(comparison.Dispose);
        return Judge(result, comparison, engine.Reactor.Failure);
    }

    CompareResult Judge(CompareResult result, Comparison comparison, Exception? bug)
    {
        string done =
            $"after {ByteSize.Format(result.Progress.DoneBytes)} of {ByteSize.Format(result.Progress.TotalBytes)}";
        if (bug != null)
            return result with
            {
                Status = RunStatus.Failed,
                Sentence = $"compare stopped {done} by an internal error ({bug.Message})",
            };
        if (comparison.FirstDifference != Comparison.NoDifference && comparison.Fault.IsNone)
            return result with { FirstDifference = comparison.FirstDifference };
        if (comparison.Fault.Kind == FaultKind.Canceled)
            return result with
            {
                Status = RunStatus.Interrupted,
                Sentence = $"interrupted {done}; no difference so far",
            };
        if (comparison.Fault.IsFault)
            return result with
            {
                Status = RunStatus.Failed,
                Fault = comparison.Fault,
                Sentence = $"cannot read '{(comparison.IsLeftFault ? left : right)}': {Explain(comparison)}, {done}",
            };
        if (result.SourceBytes != result.TargetBytes)
            return result with { FirstDifference = Math.Min(result.SourceBytes, result.TargetBytes) };
        return result;
    }

    string Explain(Comparison comparison) =>
        SourceDisk.Explain(comparison.IsLeftFault ? _left : _right, comparison.Fault);

    void CloseAll()
    {
        _right?.Dispose();
        _left?.Dispose();
    }
}
