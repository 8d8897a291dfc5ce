// The child process: one full backup from file to file through the engine's public face, as any program
// would run it, and its report on standard output. A process of its own, so that CPU, faults and memory
// are those of a plain run.
using System;
using System.Diagnostics;
using System.Text.Json;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Jobs;
using FastBackup.Runtime;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Throughput;

static class CopyChild
{
    /// <param name="sourcePath">A file with data.</param>
    /// <param name="targetPath">Made anew, or overwritten.</param>
    /// <param name="isFresh">Whether it is made.</param>
    /// <param name="isFragmented">Copies what a bitmap names: every second granule.</param>
    public static int Run(string sourcePath, string targetPath, bool isFresh, bool isFragmented)
    {
        try
        {
            Console.WriteLine(JsonSerializer.Serialize(Copy(sourcePath, targetPath, isFresh, isFragmented)));
            return 0;
        }
        catch (PeerException exception)
        {
            Console.Error.WriteLine(exception.Message);
            return 1;
        }
    }

    static CopyReport Copy(string sourcePath, string targetPath, bool isFresh, bool isFragmented)
    {
        long start = Stopwatch.GetTimestamp();
        Fault fault = Engine.TryOpen(new EngineOptions(), out Engine? opened);
        if (fault.IsFault)
            throw new PeerException($"cannot open the engine: {fault}");
        using Engine engine = opened!;
        FileDevice source = Open(engine, new FileOpenOptions { Path = sourcePath, IsReadOnly = true });
        ulong? createBytes = isFresh ? source.Limits.CapacityBytes : null;
        FileDevice target = Open(engine, new FileOpenOptions { Path = targetPath, CreateBytes = createBytes });
        try
        {
            using DirtyBitmap? bitmap = isFragmented ? EverySecond(source.Limits.CapacityBytes) : null;
            BackupOptions options = new();
            if (bitmap != null)
                options = options with { Sync = BackupSync.Bitmap, Bitmap = bitmap, BitmapMode = BitmapMode.Never };
            using MeasuredJob job = new(engine, source, target, options);
            double openSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            job.Run();
            return job.Report(openSeconds);
        }
        finally
        {
            engine.Reactor.Invoke(source.Dispose);
            engine.Reactor.Invoke(target.Dispose);
        }
    }

    static DirtyBitmap EverySecond(ulong sizeBytes)
    {
        Fault fault = DirtyBitmap.TryCreate("fragments", sizeBytes, FragmentedCopy.GranuleBytes, out var bitmap);
        if (fault.IsFault)
            throw new PeerException($"cannot make a bitmap: {fault}");
        for (ulong bit = 0; bit < bitmap!.Bits.BitCount; bit += 2)
            bitmap.Bits.SetBits(bit, 1);
        return bitmap;
    }

    static FileDevice Open(Engine engine, FileOpenOptions options)
    {
        FileDevice? device = null;
        OpenRefusal refusal = default;
        engine.Reactor.Invoke(() => refusal = DeviceOpener.TryOpen(engine.Reactor, options, out device));
        return refusal.IsNone ? device! : throw new PeerException(refusal.Sentence);
    }
}
