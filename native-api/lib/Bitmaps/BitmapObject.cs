// A bitmap as hosts hold it: one of its own, or one of a disk, which the disk's writes set and only the disk changes.
//
// The memory belongs to the garbage collector: a call that found the bitmap may use it to its end, whoever closes it
// meanwhile; each use ends with KeepAlive. So a mark needs no count and no lock to be safe against a close.
using System.Threading;
using FastBackup.Bitmaps;
using FastBackup.Native.Disks;
using FastBackup.Native.Engines;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Bitmaps;

/// <summary>Threads: any; what changes is the reactor's, or under <see cref="Exclusive"/>.</summary>
sealed class BitmapObject : AbiObject, IHandleKind
{
    HierarchicalBitmap? _own;

    /// <summary>One of its own.</summary>
    /// <param name="bits">Its bits.</param>
    /// <param name="sizeMaxBytes">Up to here a truncate moves nothing.</param>
    public BitmapObject(HierarchicalBitmap bits, ulong sizeMaxBytes)
        : base(null) => (_own, SizeMaxBytes) = (bits, sizeMaxBytes);

    /// <summary>One of a disk.</summary>
    public BitmapObject(EngineObject engine, DiskObject disk, DirtyBitmap dirty)
        : base(engine) => (Disk, Dirty, SizeMaxBytes) = (disk, dirty, dirty.SizeBytes);

    public static HandleKind Kind => HandleKind.Bitmap;

    public static string Noun => "bitmap";

    /// <summary>One at a time changes a bitmap as a whole.</summary>
    public Lock Exclusive { get; } = new();

    /// <summary>The bits that this handle may change, or null: they are a disk's.</summary>
    public HierarchicalBitmap? Own => _own;

    /// <summary>The bits to read.</summary>
    public HierarchicalBitmap Bits => Volatile.Read(ref _own) ?? Dirty!.Bits;

    public DirtyBitmap? Dirty { get; private set; }

    /// <summary>The disk that records in it, or null.</summary>
    public DiskObject? Disk { get; private set; }

    public ulong SizeMaxBytes { get; private set; }

    /// <summary>Made by a monitor: the handle goes when the disk lets it go, since no host will close it.</summary>
    public bool IsOfMonitor { get; init; }

    /// <summary>Other bits from now on: those of a truncate that needed room.</summary>
    public void Replace(HierarchicalBitmap bits, ulong sizeMaxBytes)
    {
        SizeMaxBytes = sizeMaxBytes;
        Volatile.Write(ref _own, bits);
    }

    /// <summary>The disk has let go a bitmap of a monitor.</summary>
    public void CloseUnlessOfHost()
    {
        if (!IsOfMonitor || !TryClose())
            return;
        HandleTable.Close(this);
        Retirement.Retire(Bits.BitCount);
    }

    /// <summary>The disk has let it go: it is one of its own now.</summary>
    public void Detach()
    {
        Volatile.Write(ref _own, Dirty!.Bits);
        Disk = null;
    }
}
