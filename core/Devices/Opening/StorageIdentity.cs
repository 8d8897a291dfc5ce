// Which storage a device is, as far as others may be the same: every device that can be reached in two ways tells.
namespace FastBackup.Devices.Opening;

/// <summary>Immutable. Threads: any.</summary>
public abstract class StorageIdentity
{
    /// <summary>Whether writing to one may change the other. Symmetric; different kinds share nothing.</summary>
    public abstract bool Shares(StorageIdentity other);
}
