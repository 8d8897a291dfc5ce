// A bitmap as hosts hold it: one of its own, or one of a disk, which the disk's writes set and only the disk changes.
//
// The memory belongs to the garbage collector: a call that found the bitmap may use it to its end, whoever closes it
// meanwhile; each use ends with KeepAlive. So a mark needs no count and no lock to be safe against a close.
using System.Threading;
using FastBackup.Bitmaps;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any; what changes is the reactor's, or under <see cref="Exclusive"/>.</summary>
sealed class BitmapObject : EngineChild, IHandleKind
{
    HierarchicalBitmap? _own;
    DeviceObject? _completed;
    ulong _completingSerial;

    /// <summary>One of its own.</summary>
    /// <param name="bits">Its bits.</param>
    /// <param name="sizeMaxBytes">Up to here a truncate moves nothing.</param>
    public BitmapObject(HierarchicalBitmap bits, ulong sizeMaxBytes)
        : base(null) => (_own, SizeMaxBytes) = (bits, sizeMaxBytes);

    /// <summary>One of a disk.</summary>
    public BitmapObject(EngineObject engine, ulong diskId, DirtyBitmap dirty)
        : base(engine) => (DiskId, Dirty, SizeMaxBytes) = (diskId, dirty, dirty.SizeBytes);

    public static HandleKind Kind => HandleKind.Bitmap;

    public static string Noun => "bitmap";

    /// <summary>One at a time changes a bitmap as a whole.</summary>
    public Lock Exclusive { get; } = new();

    /// <summary>The bits that this handle may change, or null: they are a disk's.</summary>
    public HierarchicalBitmap? Own => _own;

    /// <summary>The bits to read.</summary>
    public HierarchicalBitmap Bits => Volatile.Read(ref _own) ?? Dirty!.Bits;

    public DirtyBitmap? Dirty { get; private set; }

    /// <summary>The handle of the disk that records in it, or 0.</summary>
    public ulong DiskId { get; private set; }

    public bool IsOfDisk => DiskId != 0;

    public ulong SizeMaxBytes { get; private set; }

    /// <summary>Made by a monitor: the handle goes when the disk lets it go, since no host will close it.</summary>
    public bool IsOfMonitor { get; init; }

    /// <summary>The disk's tracker keeps it, as a point of its name.</summary>
    public bool IsPersistent { get; set; }

    /// <summary>The disk is an image, which has it, too, when it is closed.</summary>
    public bool IsInImage { get; set; }

    /// <summary>Until it forgets something it names all in which a target may differ from the disk.</summary>
    public void SetCompleting(DeviceObject target) => (_completed, _completingSerial) = (target, Dirty!.Serial);

    /// <summary>The bitmap's serial while it names all that; 0: it does not, or nobody knows.</summary>
    public ulong SerialCompleting(DeviceObject target) => ReferenceEquals(_completed, target) ? _completingSerial : 0;

    /// <summary>Other bits from now on: those of a truncate that needed room.</summary>
    public void Replace(HierarchicalBitmap bits, ulong sizeMaxBytes)
    {
        SizeMaxBytes = sizeMaxBytes;
        Volatile.Write(ref _own, bits);
    }

    /// <summary>
    /// Somebody beside the reactor will use it, or keep it: from now on its memory is the collector's. One of a monitor
    /// has no handle before that. On the reactor's thread.
    /// </summary>
    public void Share()
    {
        if (Id == 0)
            _ = HandleTable.Open(this);
    }

    /// <summary>
    /// The disk has let go a bitmap of a monitor. What it leaves behind is the caller's to retire or, when it was never
    /// shared, to dispose of.
    /// </summary>
    /// <returns>True when it was closed here.</returns>
    public bool TryCloseUnlessOfHost()
    {
        if (!IsOfMonitor || !TryClose())
            return false;
        if (IsShared)
            HandleTable.Close(this);
        return true;
    }

    /// <summary>Others than the disk may be using it.</summary>
    public bool IsShared => Id != 0;

    /// <summary>The disk has let it go: it is one of its own now.</summary>
    public void Detach()
    {
        Volatile.Write(ref _own, Dirty!.Bits);
        DiskId = 0;
    }
}
