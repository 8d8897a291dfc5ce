// What a user of an image does to it, or lets others do. QEMU's words and numbers: they are positions of bytes in the
// image on which programs hold locks, so that all of them understand each other.
// Source: QEMU 7.2 include/block/block-common.h, BLK_PERM_*.
using System;

namespace FastBackup.Devices.Opening;

[Flags]
enum ImagePermissions
{
    None = 0,

    /// <summary>What it reads hangs together.</summary>
    ConsistentRead = 1,
    Write = 2,
    WriteUnchanged = 4,
    Resize = 8,
}
