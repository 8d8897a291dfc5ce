// Ceph's block devices, by librbd and librados of the system. Declarations only: no retries, no policy. Nothing depends
// on them: they are looked for at the first use, and IsThere says whether they are here.
// Source: rbd/librbd.h and rados/librados.h of Ceph 16; a negative result is an error number.
using System;
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>Threads: any.</summary>
public static unsafe partial class LibRbd
{
    const string Rados = "librados.so.2";
    const string Image = "librbd.so.1";

    /// <summary>RBD_LOCK_MODE_EXCLUSIVE</summary>
    public const int LockExclusive = 0;

    public const ulong FeatureExclusiveLock = 1 << 2;
    public const ulong FeatureFastDiff = 1 << 4;

    static readonly Lazy<bool> s_isThere = new(Look);

    /// <summary>Both libraries are on this machine, new enough. Loads them at the first call, for good.</summary>
    public static bool IsThere => s_isThere.Value;

    static bool Look() =>
        OperatingSystem.IsLinux()
        && NativeLibrary.TryLoad(Rados, out _)
        && NativeLibrary.TryLoad(Image, out nint image)
        && NativeLibrary.TryGetExport(image, "rbd_aio_write_zeroes", out _);

    [LibraryImport(Rados, EntryPoint = "rados_create", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int CreateCluster(out nint cluster, string? id);

    [LibraryImport(Rados, EntryPoint = "rados_conf_read_file", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ReadConfiguration(nint cluster, string? path);

    [LibraryImport(Rados, EntryPoint = "rados_conf_set", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Set(nint cluster, string option, string value);

    [LibraryImport(Rados, EntryPoint = "rados_connect")]
    public static partial int Connect(nint cluster);

    [LibraryImport(Rados, EntryPoint = "rados_shutdown")]
    public static partial void Shutdown(nint cluster);

    /// <summary>Room for 37 bytes.</summary>
    [LibraryImport(Rados, EntryPoint = "rados_cluster_fsid")]
    public static partial int ClusterId(nint cluster, byte* text, nuint lengthBytes);

    [LibraryImport(Rados, EntryPoint = "rados_ioctx_create", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OpenPool(nint cluster, string pool, out nint context);

    [LibraryImport(Rados, EntryPoint = "rados_ioctx_set_namespace", StringMarshalling = StringMarshalling.Utf8)]
    public static partial void SetNamespace(nint context, string name);

    [LibraryImport(Rados, EntryPoint = "rados_ioctx_destroy")]
    public static partial void ClosePool(nint context);

    [LibraryImport(Image, EntryPoint = "rbd_open", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(nint context, string name, out nint image, string? snapshot);

    [LibraryImport(Image, EntryPoint = "rbd_open_read_only", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OpenReadOnly(nint context, string name, out nint image, string? snapshot);

    [LibraryImport(Image, EntryPoint = "rbd_close")]
    public static partial int Close(nint image);

    [LibraryImport(Image, EntryPoint = "rbd_get_size")]
    public static partial int GetSize(nint image, out ulong sizeBytes);

    [LibraryImport(Image, EntryPoint = "rbd_get_features")]
    public static partial int GetFeatures(nint image, out ulong features);

    [LibraryImport(Image, EntryPoint = "rbd_get_id")]
    public static partial int GetId(nint image, byte* id, nuint lengthBytes);

    [LibraryImport(Image, EntryPoint = "rbd_lock_acquire")]
    public static partial int AcquireLock(nint image, int mode);

    /// <summary>The callback: (completion, argument), on a thread of the library.</summary>
    [LibraryImport(Image, EntryPoint = "rbd_aio_create_completion")]
    public static partial int CreateCompletion(
        nint argument,
        delegate* unmanaged[Cdecl]<nint, nint, void> call,
        out nint completion
    );

    [LibraryImport(Image, EntryPoint = "rbd_aio_get_return_value")]
    public static partial nint Result(nint completion);

    [LibraryImport(Image, EntryPoint = "rbd_aio_release")]
    public static partial void Release(nint completion);

    [LibraryImport(Image, EntryPoint = "rbd_aio_read")]
    public static partial int Read(nint image, ulong offsetBytes, nuint lengthBytes, void* buffer, nint completion);

    [LibraryImport(Image, EntryPoint = "rbd_aio_write")]
    public static partial int Write(nint image, ulong offsetBytes, nuint lengthBytes, void* buffer, nint completion);

    [LibraryImport(Image, EntryPoint = "rbd_aio_discard")]
    public static partial int Discard(nint image, ulong offsetBytes, ulong lengthBytes, nint completion);

    /// <param name="image">Open.</param>
    /// <param name="offsetBytes">First byte.</param>
    /// <param name="lengthBytes">How many.</param>
    /// <param name="completion">Told of the end.</param>
    /// <param name="flags">0: the space may go; 1: it is kept.</param>
    /// <param name="hints">0.</param>
    [LibraryImport(Image, EntryPoint = "rbd_aio_write_zeroes")]
    public static partial int WriteZeroes(
        nint image,
        ulong offsetBytes,
        nuint lengthBytes,
        nint completion,
        int flags,
        int hints
    );

    [LibraryImport(Image, EntryPoint = "rbd_aio_flush")]
    public static partial int Flush(nint image, nint completion);

    /// <summary>The callback: (offset, length, exists, argument); a negative answer ends the walk.</summary>
    [LibraryImport(Image, EntryPoint = "rbd_diff_iterate2", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int WalkDifferences(
        nint image,
        string? sinceSnapshot,
        ulong offsetBytes,
        ulong lengthBytes,
        byte includesParent,
        byte ofWholeObjects,
        delegate* unmanaged[Cdecl]<ulong, nuint, int, nint, int> call,
        nint argument
    );
}
