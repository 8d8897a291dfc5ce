// The cost of the machinery alone, without a kernel: the whole way of a chunk through job, copy engine,
// bitmap, window and reactor.
//
//   null to null      nothing is moved: what is left is the machinery
//   memory to memory  two copies in memory a chunk: what a disk of memory would give
//
// Each row is the fastest of some passes after one that warms up; the memory row also proves its copy.
using System;
using System.Collections.Generic;
using System.Text.Json;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Devices;
using FastBackup.Jobs;
using FastBackup.Runtime;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Throughput;

static class MachineryBench
{
    const int PassCount = 5;

    static readonly ulong[] BufferSizes = [Units.MiB, 64 * Units.KiB];

    /// <summary>The child's verb: prints the rows as JSON.</summary>
    public static int Run(bool isSmoke)
    {
        List<MachineryRow> rows = [];
        foreach (ulong bufferBytes in BufferSizes)
        {
            ulong chunkCount = isSmoke ? 4096UL : 65536;
            ulong memoryBytes = isSmoke ? 32 * Units.MiB : 512 * Units.MiB;
            using Engine engine = Open(bufferBytes);
            rows.Add(OfNull(engine, bufferBytes * chunkCount));
            rows.Add(OfMemory(engine, memoryBytes));
        }
        Console.WriteLine(JsonSerializer.Serialize(rows));
        return 0;
    }

    static Engine Open(ulong bufferBytes)
    {
        EngineOptions options = new() { ChunkBytes = (uint)bufferBytes, BufferBytes = 16 * Units.MiB };
        Fault fault = Engine.TryOpen(options, out Engine? engine);
        return fault.IsNone ? engine! : throw new PeerException($"cannot open the engine: {fault}");
    }

    static MachineryRow OfNull(Engine engine, ulong sizeBytes)
    {
        using NullDevice source = new(engine.Reactor, "null source", sizeBytes);
        using NullDevice target = new(engine.Reactor, "null target", sizeBytes);
        return Best("null to null", engine, source, target);
    }

    static MachineryRow OfMemory(Engine engine, ulong sizeBytes)
    {
        using NullDevice pattern = new(engine.Reactor, "pattern", sizeBytes);
        using MemoryDevice source = new(engine.Reactor, "memory source", sizeBytes);
        using MemoryDevice target = new(engine.Reactor, "memory target", sizeBytes);
        Pass(engine, pattern, source); // what was never written is a hole and would be skipped
        new Prng(1).Fill(source.Content(0, (int)sizeBytes));
        MachineryRow row = Best("memory to memory", engine, source, target);
        if (!source.Content(0, (int)sizeBytes).SequenceEqual(target.Content(0, (int)sizeBytes)))
            throw new PeerException("the copy in memory differs from its source");
        return row;
    }

    static MachineryRow Best(string name, Engine engine, IBlockDevice source, IBlockDevice target)
    {
        ulong sizeBytes = source.Limits.CapacityBytes;
        Pass(engine, source, target);
        CopyReport best = Pass(engine, source, target);
        for (int pass = 1; pass < PassCount; pass++)
        {
            CopyReport next = Pass(engine, source, target);
            if (next.WallSeconds < best.WallSeconds)
                best = next;
        }
        if (best.WrittenBytes != sizeBytes)
            throw new PeerException($"{name}: {best.WrittenBytes} of {sizeBytes} bytes were copied");
        return new MachineryRow(
            name,
            engine.Pool.BufferBytes,
            best.ReadCount,
            best.WallSeconds * Units.NsPerSecond / best.ReadCount,
            sizeBytes / best.WallSeconds / Units.GiB,
            best.LoopManagedBytes
        );
    }

    static CopyReport Pass(Engine engine, IBlockDevice source, IBlockDevice target)
    {
        using MeasuredJob job = new(engine, source, target, new BackupOptions());
        job.Run();
        return job.Report(0);
    }
}
