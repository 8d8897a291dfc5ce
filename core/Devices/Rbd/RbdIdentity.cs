// Which image a device is: by the numbers that Ceph gives clusters and images, so under whatever name. A snapshot is
// never written to, so it shares nothing with its image.
using FastBackup.Devices.Opening;

namespace FastBackup.Devices.Rbd;

sealed class RbdIdentity(string cluster, RbdName name, string image) : StorageIdentity
{
    readonly (string, string, string, string, string?) _key = (
        cluster,
        name.Pool,
        name.Namespace,
        image,
        name.Snapshot
    );

    public override bool Shares(StorageIdentity other) => other is RbdIdentity one && one._key == _key;
}
