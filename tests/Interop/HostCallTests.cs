// The library called from .NET through the bindings: by value, by pointer, with text, and called back.
using System;
using System.IO;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Interop.Host;
using Xunit;
using static FastBackup.Interop.Host.LibFastBackup;
using static FastBackup.Tests.Interop.C.LoadedLibrary;

namespace FastBackup.Tests.Interop;

public sealed unsafe class HostCallTests : IDisposable
{
    const ulong Mib = 1 << 20;
    const int DiskBytes = 8 << 20;
    const int CollectionCount = 20;
    const long TenSecondsNs = 10_000_000_000;

    // The disk that callbacks serve. It does not move: the library is given its address.
    static readonly byte[] Disk = GC.AllocateArray<byte>(DiskBytes, pinned: true);
    static int releaseCount;

    readonly string _folder = Directory.CreateTempSubdirectory("fastbackup-interop-").FullName;

    public HostCallTests() => Require();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Version_IsTheHeaders()
    {
        Assert.Equal(FB_ABI_VERSION, fb_abi_version());
        Assert.StartsWith($"{FB_VERSION_MAJOR}.{FB_VERSION_MINOR}.", TextOf(fb_version_string()));
        Assert.Equal("FB_E_RANGE", TextOf(fb_status_name(FB_E_RANGE)));
        Assert.Equal(0, fb_is_forked_child());
    }

    [Fact]
    public void Bitmap_IsMarkedAndRead()
    {
        fb_bitmap_options options = new()
        {
            struct_size = (uint)sizeof(fb_bitmap_options),
            size_bytes = 64 * Mib,
            granularity_bytes = 65536,
        };
        fb_bitmap bitmap;
        AssertIs(FB_OK, fb_bitmap_create(&options, &bitmap));
        Assert.Equal(FB_KIND_BITMAP, fb_handle_kind(bitmap.id));
        AssertIs(FB_OK, fb_bitmap_mark(bitmap, 3 * Mib + 1, 65536));
        AssertIs(FB_OK, fb_bitmap_mark(bitmap, 40 * Mib, 1));
        AssertIs(FB_E_RANGE, fb_bitmap_mark(bitmap, 64 * Mib, 1));
        Assert.NotEmpty(LastErrorText());

        fb_bitmap_state state = new() { struct_size = (uint)sizeof(fb_bitmap_state) };
        AssertIs(FB_OK, fb_bitmap_query(bitmap, &state));
        Assert.Equal((3ul, 1024ul), (state.dirty_granules, state.granule_count));

        ulong position = 0;
        fb_extent* areas = stackalloc fb_extent[4];
        Assert.Equal(2, fb_bitmap_areas(bitmap, &position, areas, 4));
        Assert.Equal((3 * Mib, 131072ul), (areas[0].offset, areas[0].length));
        Assert.Equal((40 * Mib, 65536ul), (areas[1].offset, areas[1].length));
        AssertIs(FB_OK, fb_bitmap_close(bitmap));
        AssertIs(FB_E_HANDLE, fb_bitmap_close(bitmap));
    }

    [Fact]
    public void Engine_OfAnotherSize_IsRefused()
    {
        fb_engine_options options = new() { struct_size = 3 };
        fb_engine engine;
        AssertIs(FB_E_INVALID, fb_engine_open(&options, &engine));
    }

    [Fact]
    public void Backup_OfAHostsDisk_IsTheDisk()
    {
        new Random(1).NextBytes(Disk);
        string copy = Path.Combine(_folder, "copy.img");
        fb_engine engine = OpenEngine();
        fb_queue queue;
        AssertIs(FB_OK, fb_queue_open(engine, 8, &queue));
        fb_device source = RegisterDisk(engine);
        fb_device target = CreateFile(engine, copy);
        fb_disk disk;
        fb_job job;
        fixed (byte* name = "system"u8)
        {
            fb_disk_options options = new()
            {
                struct_size = (uint)sizeof(fb_disk_options),
                name = name,
                name_length = 6,
            };
            AssertIs(FB_OK, fb_disk_open(engine, source, &options, &disk));
        }
        AssertIs(FB_OK, fb_backup_create(disk, target, null, &job));
        AssertIs(FB_PENDING, fb_job_start(job, queue, 4711));
        // Both runtimes stop threads with the same signal: this one stops the engine's thread inside Submit.
        for (int i = 0; i < CollectionCount; i++)
            GC.Collect();
        fb_completion ended;
        Assert.Equal(1, fb_queue_poll(queue, &ended, (uint)sizeof(fb_completion), 1, 1, TenSecondsNs));
        Assert.Equal((FB_COMPLETION_JOB, 4711ul), (ended.kind, ended.user_data));
        AssertIs(FB_OK, ended.status);
        Assert.Equal((ulong)DiskBytes, ended.bytes);

        fb_job_state state = new() { struct_size = (uint)sizeof(fb_job_state) };
        AssertIs(FB_OK, fb_job_query(job, &state));
        Assert.Equal(((ulong)DiskBytes, (ulong)DiskBytes), (state.total_bytes, state.done_bytes));
        AssertIs(FB_OK, fb_job_close(job));
        AssertIs(FB_OK, fb_disk_close(disk));
        AssertIs(FB_OK, fb_device_close(source));
        AssertIs(FB_OK, fb_device_close(target));
        AssertIs(FB_OK, fb_queue_close(queue));
        AssertIs(FB_OK, fb_engine_close(engine));
        Assert.Equal(1, Volatile.Read(ref releaseCount));
        Assert.True(Disk.AsSpan().SequenceEqual(File.ReadAllBytes(copy)), "the copy is not the disk");
    }

    [Fact]
    public void NullReference_OfTheHost_StaysAnException()
    {
        // The library's runtime has put its handler in front of this one's.
        _ = fb_abi_version();
        string? text = Environment.GetEnvironmentVariable("FASTBACKUP_NO_SUCH_VARIABLE");
        Assert.Throws<NullReferenceException>(() => text!.Length);
    }

    static fb_engine OpenEngine()
    {
        fb_engine_options options = new() { struct_size = (uint)sizeof(fb_engine_options), buffer_bytes = 8 * Mib };
        fb_engine engine;
        AssertIs(FB_OK, fb_engine_open(&options, &engine));
        return engine;
    }

    static fb_device RegisterDisk(fb_engine engine)
    {
        fb_device_ops ops = new()
        {
            struct_size = (uint)sizeof(fb_device_ops),
            capacity_bytes = DiskBytes,
            context = (void*)Marshal.UnsafeAddrOfPinnedArrayElement(Disk, 0),
            submit = &Submit,
            release = &Release,
        };
        fb_device device;
        AssertIs(FB_OK, fb_device_register(engine, &ops, &device));
        return device;
    }

    static fb_device CreateFile(fb_engine engine, string path)
    {
        byte[] bytes = System.Text.Encoding.UTF8.GetBytes(path);
        fixed (byte* text = bytes)
        {
            fb_device_options options = new()
            {
                struct_size = (uint)sizeof(fb_device_options),
                flags = FB_DEVICE_CREATE,
                path = text,
                path_length = (uint)bytes.Length,
                create_bytes = DiskBytes,
            };
            fb_device device;
            AssertIs(FB_OK, fb_device_open(engine, &options, &device));
            return device;
        }
    }

    // Called on the engine's own thread, which this runtime has not started.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    static int Submit(void* context, fb_io_request* request)
    {
        if (request->operation != FB_IO_READ)
            return FB_E_UNSUPPORTED;
        // SAFETY: the library asks within capacity_bytes only, and its buffer has room for what it asks.
        byte* from = (byte*)context + request->offset;
        Buffer.MemoryCopy(from, request->buffer, request->length, request->length);
        return FB_OK;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    static void Release(void* context) => Interlocked.Increment(ref releaseCount);
}
