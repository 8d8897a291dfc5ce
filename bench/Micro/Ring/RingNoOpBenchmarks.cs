// What the port itself costs: no-ops pushed as one batch and harvested, over io_uring and over worker threads.
// Time per batch; one system call a batch on the ring.
using System;
using BenchmarkDotNet.Attributes;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.BlockIo.Ring;

namespace FastBackup.Bench.Micro.Ring;

public class RingNoOpBenchmarks : IFileIoOwner, IDisposable
{
    readonly FileHandle _none = new(-1);
    IFileIo _fileIo = null!;
    int _completedCount;

    [Params(1, 16, 128)]
    public int Batch { get; set; }

    [Params(true, false)]
    public bool IsRing { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        if (!IsRing)
        {
            _fileIo = new ThreadedFileIo(2, 256, "fb-bench");
            return;
        }
        Fault fault = RingFileIo.TryOpen(256, out RingFileIo? ring);
        _fileIo = ring ?? throw new InvalidOperationException("io_uring: " + fault);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _fileIo.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public int NoOps()
    {
        _completedCount = 0;
        for (int i = 0; i < Batch; i++)
            _fileIo.TryPush(
                new FileCommand
                {
                    Operation = FileOperation.Nop,
                    File = _none,
                    Owner = this,
                }
            );
        while (_completedCount < Batch)
            _fileIo.Poll(Units.NsPerSecond);
        return _completedCount;
    }

    void IFileIoOwner.OnFileCompleted(ulong tag, long result) => _completedCount++;
}
