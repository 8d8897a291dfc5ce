// What the calls of libfastbackup cost a host in .NET, through the generated bindings: nanoseconds per call, beside
// bench/Abi/cost_per_call.c, which does the same from C. Imports that do not tell the host's own collector
// (SuppressGCTransition) were measured too: 1 ns less, for a collection that waits for each call.
using System;
using System.IO;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using FastBackup.Interop.Host;
using FastBackup.Tests;
using FastBackup.Tests.Processes;
using static FastBackup.Interop.Host.LibFastBackup;

namespace FastBackup.Bench.Micro.Host;

public unsafe class HostCallBenchmarks : IDisposable
{
    const int Calls = 4096;
    const ulong DiskBytes = 1 << 30;
    const string Library = "libfastbackup.so.1";

    static readonly Lazy<nint> Loaded = new(Load); // once a process, also for several benchmarks in it

    fb_engine _engine;
    fb_device _device;
    fb_disk _disk;
    fb_queue _queue;
    fb_bitmap _bitmap;

    [GlobalSetup]
    public void Setup()
    {
        _ = Loaded.Value;
        fb_engine engine;
        Must(fb_engine_open(null, &engine));
        _engine = engine;
        fb_device_ops ops = new()
        {
            struct_size = (uint)sizeof(fb_device_ops),
            capacity_bytes = DiskBytes,
            submit = &Submit,
        };
        fb_device device;
        Must(fb_device_register(engine, &ops, &device));
        _device = device;
        fixed (byte* name = "disk"u8)
        {
            fb_disk_options options = new()
            {
                struct_size = (uint)sizeof(fb_disk_options),
                name = name,
                name_length = 4,
            };
            fb_disk disk;
            Must(fb_disk_open(engine, device, &options, &disk));
            _disk = disk;
        }
        fb_bitmap_options shape = new()
        {
            struct_size = (uint)sizeof(fb_bitmap_options),
            size_bytes = DiskBytes,
            granularity_bytes = 65536,
        };
        fb_bitmap bitmap;
        Must(fb_bitmap_create(&shape, &bitmap));
        _bitmap = bitmap;
        fb_queue queue;
        Must(fb_queue_open(engine, 64, &queue));
        _queue = queue;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        Must(fb_bitmap_close(_bitmap));
        Must(fb_disk_close(_disk));
        Must(fb_device_close(_device));
        Must(fb_queue_close(_queue));
        Must(fb_engine_close(_engine));
        GC.SuppressFinalize(this);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Calls, Description = "enter and leave")]
#pragma warning disable CA1822 // BenchmarkDotNet calls instance methods only
    public uint Enter()
#pragma warning restore CA1822
    {
        uint sum = 0;
        for (int i = 0; i < Calls; i++)
            sum += fb_abi_version();
        return sum;
    }

    [Benchmark(OperationsPerInvoke = Calls, Description = "look a handle up")]
    public int Lookup()
    {
        uint kinds = 0;
        for (int i = 0; i < Calls; i++)
            kinds |= fb_handle_kind(_bitmap.id);
        return AllOk(kinds == FB_KIND_BITMAP ? FB_OK : (int)kinds);
    }

    [Benchmark(OperationsPerInvoke = Calls, Description = "write_begin + write_end")]
    public int Pair()
    {
        int sum = 0;
        for (ulong i = 0; i < Calls; i++)
        {
            sum |= fb_disk_write_begin(_disk, _queue, OffsetOf(i), 4096, i);
            sum |= fb_disk_write_end(_disk);
        }
        return AllOk(sum);
    }

    [Benchmark(OperationsPerInvoke = Calls, Description = "bitmap mark")]
    public int Mark()
    {
        int sum = 0;
        for (ulong i = 0; i < Calls; i++)
            sum |= fb_bitmap_mark(_bitmap, OffsetOf(i), 4096);
        return AllOk(sum);
    }

    [Benchmark(OperationsPerInvoke = Calls, Description = "poll of an empty queue")]
    public int Poll()
    {
        fb_completion completion;
        int sum = 0;
        for (int i = 0; i < Calls; i++)
            sum |= fb_queue_poll(_queue, &completion, (uint)sizeof(fb_completion), 1, 0, 0);
        return AllOk(sum);
    }

    // Not the same granule twice in a row, and cheap: what is measured is the call.
    static ulong OffsetOf(ulong i) => i * 81920 & (DiskBytes - 1);

    static int AllOk(int sum) => sum == FB_OK ? sum : throw new InvalidOperationException($"a call answered {sum}");

    static void Must(int status) => AllOk(status);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    static int Submit(void* context, fb_io_request* request) => FB_OK;

    static nint Load()
    {
        nint handle = NativeLibrary.Load(BuiltFile());
        NativeLibrary.SetDllImportResolver(typeof(LibFastBackup).Assembly, (_, _, _) => handle);
        return handle;
    }

    static readonly TimeSpan BuildLimit = TimeSpan.FromMinutes(10);

    // Built when it is not there; what is there may be of an older tree.
    static string BuiltFile()
    {
        string file = Path.Combine(Repository.PathOf("native-api/lib/bin/stage/lib"), Library);
        if (File.Exists(file))
            return file;
        using RunningProgram build = RunningProgram.Start(Repository.PathOf("native-api/packaging/build"), ["v1"]);
        build.Wait(BuildLimit);
        return file;
    }
}
