// What the handshake has found out about an export, and how the connection speaks from then on.
using System.Globalization;
using FastBackup.Base;

namespace FastBackup.Devices.Nbd;

sealed record NbdExport
{
    /// <summary>What every server takes, where it says nothing. Source: doc/proto.md, block size constraints.</summary>
    public const uint PayloadBytesDefault = (uint)(32 * Units.MiB);

    /// <summary>The largest smallest block that a server may have. Source: as above.</summary>
    public const uint BlockBytesMinMax = (uint)(64 * Units.KiB);

    /// <summary>Of BlockBytesMin: zeroes are found in pieces of this size, and clusters are not smaller.</summary>
    public const uint BlockBytesMinUsable = (uint)(4 * Units.KiB);

    public ulong SizeBytes { get; init; }

    public NbdExportFlags Flags { get; init; }

    /// <summary>Requests are multiples of it: a power of two, 1..64 KiB.</summary>
    public uint BlockBytesMin { get; init; } = 1;

    /// <summary>Of one read or write; a multiple of BlockBytesMin.</summary>
    public uint PayloadBytesMax { get; init; } = PayloadBytesDefault;

    /// <summary>Lengths of 64 bits, and every reply in the extended form.</summary>
    public bool IsExtended { get; init; }

    /// <summary>Reads are answered in chunks.</summary>
    public bool IsStructured { get; init; }

    /// <summary>The number that extents of the context come with; null: the server does not tell them.</summary>
    public uint? ContextId { get; init; }

    /// <summary>The context is a dirty bitmap, not what is allocated.</summary>
    public bool IsBitmap { get; init; }

    public bool Can(NbdExportFlags what) => (Flags & what) != 0;

    /// <summary>Or say at once that it cannot.</summary>
    public bool CanZeroFast => Can(NbdExportFlags.CanWriteZeroes) && Can(NbdExportFlags.CanFastZero);

    /// <summary>Whether this, found later, is to all appearance the same disk, and as able.</summary>
    /// <returns>Null, or how it is not, as the end of a sentence that begins with the server.</returns>
    public string? DiffersFrom(NbdExport before)
    {
        const NbdExportFlags hints =
            NbdExportFlags.HasFlags
            | NbdExportFlags.CanMultiConnect
            | NbdExportFlags.ReadOnly
            | NbdExportFlags.CanCache
            | NbdExportFlags.CanFastZero;
        if (SizeBytes != before.SizeBytes)
            return string.Create(
                CultureInfo.InvariantCulture,
                $"came back with a disk of {SizeBytes} bytes instead of {before.SizeBytes}"
            );
        bool isLess =
            BlockBytesMin > before.BlockBytesMin
            || (before.Flags & ~Flags & ~hints) != 0
            || (before.ContextId != null && ContextId == null)
            || (Can(NbdExportFlags.ReadOnly) && !before.Can(NbdExportFlags.ReadOnly));
        return isLess ? "came back with an export that can less than before" : null;
    }
}
