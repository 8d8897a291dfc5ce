// Errors of the world as values: what went wrong, the kernel's number if there is one, and where.
// They travel in completions and results; nothing on the I/O path throws for them.
using System.Globalization;

namespace FastBackup.Base;

/// <summary>Small stable set that control flow may depend on; the errno beside it is for people.</summary>
public enum FaultKind
{
    None = 0,
    Invalid,
    Handle,
    State,
    Align,

    /// <summary>A range passes the end of the device.</summary>
    Range,
    NoMemory,
    QueueFull,

    /// <summary>The device answered with an error; the errno says which.</summary>
    Io,

    /// <summary>The device or file system is full (ENOSPC, EDQUOT); error policies tell it from other errors.</summary>
    NoSpace,

    /// <summary>The device ended before its stated size: it was truncated while in use.</summary>
    Truncated,

    /// <summary>The device has grown past its stated size while in use: what it gained was not copied.</summary>
    Grown,
    Canceled,
    Unsupported,
    TimedOut,
    SnapshotLost,

    /// <summary>An invariant failed; the engine has stopped.</summary>
    Bug,
}

/// <summary>What failed. The default value means that nothing did.</summary>
/// <param name="Kind">The class of error.</param>
/// <param name="Errno">Positive kernel error number, or 0 when no system call was involved.</param>
/// <param name="OffsetBytes">Device offset concerned, or <see cref="NoOffset"/>.</param>
public readonly record struct Fault(FaultKind Kind, int Errno = 0, ulong OffsetBytes = Fault.NoOffset)
{
    public const ulong NoOffset = ulong.MaxValue;

    public static Fault None => default;

    /// <summary>The size when opened of a device that ends at <see cref="OffsetBytes"/> now; else 0.</summary>
    public ulong OpenedBytes { get; init; }

    public bool IsNone => Kind == FaultKind.None;

    public bool IsFault => Kind != FaultKind.None;

    public Fault At(ulong offsetBytes) => this with { OffsetBytes = offsetBytes };

    /// <summary>The device was opened with one size and has another one now.</summary>
    public static Fault OfSize(ulong openedBytes, ulong sizeBytes) =>
        new(sizeBytes < openedBytes ? FaultKind.Truncated : FaultKind.Grown, 0, sizeBytes)
        {
            OpenedBytes = openedBytes,
        };

    /// <summary>One clause for people, for example "no space left on device (ENOSPC) at offset 1048576".</summary>
    public override string ToString()
    {
        if (Kind == FaultKind.Grown || OpenedBytes > 0)
            return SizeText(Kind == FaultKind.Grown ? "grown" : "truncated");
        string what = Errno != 0 ? Errnos.Describe(Errno) : KindText(Kind);
        return OffsetBytes == NoOffset || IsNone
            ? what
            : string.Create(CultureInfo.InvariantCulture, $"{what} at offset {OffsetBytes}");
    }

    string SizeText(string how) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"its size went from {OpenedBytes} to {OffsetBytes} bytes ({how} while in use)"
        );

    static string KindText(FaultKind kind) =>
        kind switch
        {
            FaultKind.None => "no error",
            FaultKind.Invalid => "invalid argument",
            FaultKind.Handle => "stale or unknown handle",
            FaultKind.State => "not possible in this state",
            FaultKind.Align => "misaligned request",
            FaultKind.Range => "range passes the end of the device",
            FaultKind.NoMemory => "out of memory",
            FaultKind.QueueFull => "queue full",
            FaultKind.Io => "input/output error",
            FaultKind.NoSpace => "no space left",
            FaultKind.Truncated => "the device ended before its stated size (truncated while in use)",
            FaultKind.Canceled => "cancelled",
            FaultKind.Unsupported => "not supported",
            FaultKind.TimedOut => "timed out",
            FaultKind.SnapshotLost => "snapshot lost",
            _ => "internal error",
        };
}
