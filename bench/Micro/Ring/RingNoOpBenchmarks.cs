// What the port itself costs: no-ops pushed as one batch and harvested, over io_uring and over worker threads.
// Time per batch; one system call a batch on the ring.
using System;
using BenchmarkDotNet.Attributes;
using FastBackup.Base;
using FastBackup.Ports;
using FastBackup.Ports.Linux;
using FastBackup.Ports.Linux.Ring;

namespace FastBackup.Bench.Micro.Ring;

public class RingNoOpBenchmarks : IFileIoOwner, IDisposable
{
    FileHandle _none = new(-1);
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
            _none = new FileHandle(-1) { Workers = _fileIo.StartWorkers(mayBlock: true) };
            return;
        }
        Fault fault = RingFileIo.TryOpen(256, out RingFileIo? ring);
        _fileIo = ring ?? throw new InvalidOperationException("io_uring: " + fault);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _none.Workers?.Close(onClosed: null);
        _fileIo.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public int NoOps()
    {
        _completedCount = 0;
        for (int i = 0; i < Batch; i++)
            while (
                !_fileIo.TryPush(
                    new FileCommand
                    {
                        Operation = FileOperation.Nop,
                        File = _none,
                        Owner = this,
                    }
                )
            )
                _fileIo.Poll(0);
        while (_completedCount < Batch)
            _fileIo.Poll(Units.NsPerSecond);
        return _completedCount;
    }

    void IFileIoOwner.OnFileCompleted(ulong tag, in FileResult result) => _completedCount++;
}
