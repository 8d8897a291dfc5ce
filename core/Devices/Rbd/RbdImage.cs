// An image of Ceph that is open: the connection to its cluster, its pool, the image, and its exclusive lock if it is to
// be written to. Opening and closing wait for the cluster, each step within a limit that is given to the library: a
// cluster that is not there is one sentence, and a request that it does not answer fails.
//
// Which parts hold data is asked by a walk over the differences from nothing (rbd_diff_iterate2): out of the object map
// where the image has one, else of every object. It waits as well: RbdDevice asks on threads of its own.
using System;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Rbd;

/// <summary>Threads: any; Close once, when nothing is under way.</summary>
sealed class RbdImage
{
    const int ConnectSeconds = 10;
    const int IdBytesMax = 128;
    const int WaitingMax = 256;
    const int StackBytes = 8 << 20;

    /// <summary>A walk fills these; the callback knows nothing else.</summary>
    struct Walk
    {
        public nint Entries; // MapEntry, room for Capacity
        public uint Capacity;
        public uint Count;
        public ulong EndBytes;
        public bool IsOdd;
    }

    readonly nint _cluster;
    readonly nint _pool;
    bool _isFast;

    RbdImage(RbdName name, nint cluster, nint pool, nint handle) =>
        (Name, _cluster, _pool, Handle) = (name, cluster, pool, handle);

    public RbdName Name { get; }

    public nint Handle { get; }

    public ulong SizeBytes { get; private set; }

    public RbdIdentity? Identity { get; private set; }

    /// <summary>Threads that wait for clusters: with room for what the library puts on them.</summary>
    public static PatientThreads Threads { get; } = new(WaitingMax, StackBytes);

    /// <summary>Any thread that may wait: another one does the work.</summary>
    /// <param name="name">Which image.</param>
    /// <param name="options">IsReadOnly, IsLockIgnored, and how long a cluster may not answer.</param>
    /// <param name="image">Null when refused.</param>
    public static OpenRefusal TryOpen(RbdName name, FileOpenOptions options, out RbdImage? image)
    {
        RbdImage? opened = null;
        OpenRefusal refusal = default;
        using ManualResetEventSlim ended = new();
        void Run()
        {
            try
            {
                refusal = TryOpenHere(name, options, out opened);
            }
            finally
            {
                ended.Set();
            }
        }
        image = null;
        if (!Threads.TryRun("fb-rbd", Run))
            return OpenRefusal.Of(name.Text, "start a thread for", new Fault(FaultKind.NoMemory, Errnos.EAGAIN));
        ended.Wait();
        image = opened;
        return refusal;
    }

    static OpenRefusal TryOpenHere(RbdName name, FileOpenOptions options, out RbdImage? image)
    {
        image = null;
        if (name.Snapshot != null && !options.IsReadOnly)
            return OpenRefusal.Rule($"'{name.Text}' is a snapshot, which cannot be written to");
        if (!LibRbd.IsThere)
            return new OpenRefusal(
                new Fault(FaultKind.Unsupported),
                $"'{name.Text}' needs Ceph's librbd, version 16 or newer, which is not on this machine; install the "
                    + "package librbd1"
            );
        OpenRefusal refusal = TryConnect(name, options, out nint cluster);
        if (!refusal.IsNone)
            return refusal;
        refusal = TryOpenImage(name, options, cluster, out nint pool, out nint handle);
        if (refusal.IsNone)
        {
            RbdImage made = new(name, cluster, pool, handle);
            refusal = made.Examine(options);
            image = refusal.IsNone ? made : null;
        }
        if (image != null)
            return default;
        if (handle != 0)
            _ = LibRbd.Close(handle);
        if (pool != 0)
            LibRbd.ClosePool(pool);
        LibRbd.Shutdown(cluster);
        return refusal;
    }

    static OpenRefusal TryConnect(RbdName name, FileOpenOptions options, out nint cluster)
    {
        int result = LibRbd.CreateCluster(out cluster, name.User);
        if (result < 0)
            return Refuse(name, "begin with Ceph for", result);
        string what = "connect to the cluster of";
        result = LibRbd.ReadConfiguration(cluster, name.Configuration);
        if (result < 0)
            what = $"read Ceph's configuration ({name.Configuration ?? "CEPH_CONF, or /etc/ceph/ceph.conf"}) for";
        ulong answerSeconds = Math.Max(1, options.Remote.ReconnectNs / Units.NsPerSecond);
        string limit = answerSeconds.ToString(CultureInfo.InvariantCulture);
        foreach ((string option, string value) in Settings(limit))
            if (result >= 0)
                _ = LibRbd.Set(cluster, option, value); // one that a version does not know is not needed there
        if (result >= 0)
            result = LibRbd.Connect(cluster);
        if (result >= 0)
            return default;
        LibRbd.Shutdown(cluster);
        cluster = 0;
        return Refuse(name, what, result);
    }

    /// <summary>Limits, and quiet: what goes wrong is said once, by us.</summary>
    static (string, string)[] Settings(string answerSeconds) =>
        [
            ("client_mount_timeout", ConnectSeconds.ToString(CultureInfo.InvariantCulture)),
            ("rados_mon_op_timeout", answerSeconds),
            ("rados_osd_op_timeout", answerSeconds),
            ("log_to_stderr", "false"),
            ("err_to_stderr", "false"),
        ];

    static OpenRefusal TryOpenImage(RbdName name, FileOpenOptions options, nint cluster, out nint pool, out nint handle)
    {
        handle = 0;
        int result = LibRbd.OpenPool(cluster, name.Pool, out pool);
        if (result < 0)
        {
            pool = 0;
            return Refuse(name, $"open the pool '{name.Pool}' of", result);
        }
        if (name.Namespace.Length > 0)
            LibRbd.SetNamespace(pool, name.Namespace);
        result = options.IsReadOnly
            ? LibRbd.OpenReadOnly(pool, name.Image, out handle, name.Snapshot)
            : LibRbd.Open(pool, name.Image, out handle, null);
        if (result >= 0)
            return default;
        handle = 0;
        return Refuse(name, "open", result);
    }

    unsafe OpenRefusal Examine(FileOpenOptions options)
    {
        int result = LibRbd.GetFeatures(Handle, out ulong features);
        if (result >= 0)
            result = LibRbd.GetSize(Handle, out ulong bytes) is < 0 and int bad ? bad : Take(bytes);
        Span<byte> id = stackalloc byte[IdBytesMax];
        Span<byte> cluster = stackalloc byte[IdBytesMax];
        fixed (byte* idStart = id)
        fixed (byte* clusterStart = cluster)
        {
            // SAFETY: both are given with their lengths, and are zero behind what is written.
            if (result >= 0)
                result = LibRbd.GetId(Handle, idStart, IdBytesMax - 1);
            if (result >= 0)
                result = LibRbd.ClusterId(_cluster, clusterStart, IdBytesMax - 1);
        }
        if (result < 0)
            return Refuse(Name, "examine", result);
        Identity = new RbdIdentity(Text(cluster), Name, Text(id));
        _isFast = (features & LibRbd.FeatureFastDiff) != 0;
        if (options.IsReadOnly || options.IsLockIgnored)
            return default;
        if ((features & LibRbd.FeatureExclusiveLock) == 0)
            return OpenRefusal.Rule(
                $"'{Name.Text}' has not the feature exclusive-lock, so others could write to it meanwhile; "
                    + "'rbd feature enable' gives it"
            );
        result = LibRbd.AcquireLock(Handle, LibRbd.LockExclusive);
        return result switch
        {
            >= 0 => default,
            -Errnos.EROFS or -Errnos.EBUSY or -Errnos.EPERM => OpenRefusal.InUse(
                $"'{Name.Text}' is in use: another program has its exclusive lock"
            ),
            _ => Refuse(Name, "lock", result),
        };
    }

    int Take(ulong bytes)
    {
        SizeBytes = bytes;
        return 0;
    }

    static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes[..bytes.IndexOf((byte)0)]);

    static OpenRefusal Refuse(RbdName name, string verb, int result) =>
        OpenRefusal.Of(name.Text, verb, Errnos.ToFault(-result));

    /// <summary>Its size now. Waits for the cluster.</summary>
    public Fault TryGetSize(out ulong sizeBytes)
    {
        int result = LibRbd.GetSize(Handle, out sizeBytes);
        return result < 0 ? Errnos.ToFault(-result) : Fault.None;
    }

    /// <summary>Fills in which parts hold data, as far as there is room. Waits for the cluster.</summary>
    /// <param name="request">A Map within the image.</param>
    public unsafe BlockResult Map(in BlockRequest request)
    {
        ulong end = request.OffsetBytes + request.LengthBytes;
        Walk walk = new()
        {
            Entries = request.Buffer,
            Capacity = request.MapCapacity,
            EndBytes = request.OffsetBytes,
        };
        // SAFETY: the walk ends before the call does, and the caller keeps room for MapCapacity entries.
        int result = LibRbd.WalkDifferences(
            Handle,
            null,
            request.OffsetBytes,
            request.LengthBytes,
            1,
            _isFast ? (byte)1 : (byte)0,
            &OnDifference,
            (nint)(&walk)
        );
        bool isFull = walk.Count == walk.Capacity;
        if (result < 0 && !isFull && !walk.IsOdd)
            return new BlockResult(Errnos.ToFault(-result, request.OffsetBytes));
        if (walk.IsOdd)
        {
            walk.Count = 0;
            Add(ref walk, request.OffsetBytes, end, ExtentKind.Data);
        }
        else if (!isFull && walk.EndBytes < end)
        {
            Add(ref walk, walk.EndBytes, end, ExtentKind.Hole);
        }
        return new BlockResult(Fault.None, walk.Count);
    }

    /// <summary>On whatever thread the library likes, one after the other.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    static unsafe int OnDifference(ulong offsetBytes, nuint lengthBytes, int exists, nint argument)
    {
        ref Walk walk = ref *(Walk*)argument; // SAFETY: Map's own, until its call returns
        if (exists == 0)
            return 0;
        if (offsetBytes < walk.EndBytes)
        {
            walk.IsOdd = true; // striped: not in the order of the disk
            return -Errnos.ECANCELED;
        }
        if (offsetBytes > walk.EndBytes && !Add(ref walk, walk.EndBytes, offsetBytes, ExtentKind.Hole))
            return -Errnos.ECANCELED;
        return Add(ref walk, offsetBytes, offsetBytes + lengthBytes, ExtentKind.Data) ? 0 : -Errnos.ECANCELED;
    }

    /// <returns>False: there is no room.</returns>
    static unsafe bool Add(ref Walk walk, ulong offset, ulong end, ExtentKind kind)
    {
        MapEntry* entries = (MapEntry*)walk.Entries; // SAFETY: as Map says
        if (walk.Count > 0 && entries[walk.Count - 1].Kind == kind)
        {
            entries[walk.Count - 1].LengthBytes += end - offset;
        }
        else
        {
            if (walk.Count == walk.Capacity)
                return false;
            entries[walk.Count++] = new MapEntry
            {
                OffsetBytes = offset,
                LengthBytes = end - offset,
                Kind = kind,
            };
        }
        walk.EndBytes = end;
        return true;
    }

    /// <summary>Gives the lock back and ends the connection. Waits for the cluster.</summary>
    public void Close()
    {
        _ = LibRbd.Close(Handle);
        LibRbd.ClosePool(_pool);
        LibRbd.Shutdown(_cluster);
    }
}
