// The bits of a qcow2 header that say what a reader must know.
// Source: QEMU docs/interop/qcow2.rst, "incompatible features".
using System;

namespace FastBackup.Formats.Qcow2;

[Flags]
public enum Qcow2Features : ulong
{
    None = 0,

    /// <summary>Reference counts may be behind: it was not closed, or is open now. What it holds is right.</summary>
    Dirty = 1,

    /// <summary>Somebody has found its tables to contradict each other.</summary>
    Corrupt = 2,

    /// <summary>Guest data lies in another file.</summary>
    DataFile = 4,

    /// <summary>Compressed clusters are of the type that the header names.</summary>
    CompressionType = 8,

    /// <summary>L2 entries have 16 bytes, with bits for 32 parts of a cluster.</summary>
    ExtendedL2 = 16,

    Known = Dirty | Corrupt | DataFile | CompressionType | ExtendedL2,
}
