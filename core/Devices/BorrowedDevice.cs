// A device that somebody else closes: for an image over a file that has a name and a life of its own. Whoever has lent
// it closes it after the borrower; until it is lent for good the borrower closes it as well, so that an open that is
// given up leaves nothing.
using FastBackup.Base;
using FastBackup.Devices.Opening;

namespace FastBackup.Devices;

/// <summary>Threads: the loop's.</summary>
/// <param name="inner">Outlives this, unless it is owned.</param>
/// <param name="isOwned">It is closed with this.</param>
public sealed class BorrowedDevice(IBlockDevice inner, bool isOwned) : IBlockDevice
{
    public IBlockDevice Inner => inner;

    /// <summary>It is closed with this. Threads: as long as nobody closes it, any.</summary>
    public bool IsOwned { get; set; } = isOwned;

    public string Name => inner.Name;

    public BlockLimits Limits => inner.Limits;

    public uint InFlightCount => inner.InFlightCount;

    public StorageIdentity? Storage => inner.Storage;

    public bool ReadsAsZero => inner.ReadsAsZero;

    /// <summary>Of a borrowed one what was lent; else the device itself.</summary>
    public static IBlockDevice Behind(IBlockDevice device) => device is BorrowedDevice lent ? lent.Inner : device;

    public Fault Grow(ulong capacityBytes) => inner.Grow(capacityBytes);

    public bool MayChangeLate(in Extent range) => inner.MayChangeLate(range);

    public void Submit(in BlockRequest request) => inner.Submit(request);

    public void BeginImage(ulong bitmapSerial) => inner.BeginImage(bitmapSerial);

    public void EndImage() => inner.EndImage();

    public void Promote(IBlockOwner owner, ulong userData) => inner.Promote(owner, userData);

    public void Dispose()
    {
        if (IsOwned)
            inner.Dispose();
    }

    public void DisposeWhenIdle()
    {
        if (IsOwned)
            inner.DisposeWhenIdle();
    }
}
