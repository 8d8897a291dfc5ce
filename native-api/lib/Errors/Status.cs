// The numbers of fb_status in short, and what each fault of the engine is among them.
using FastBackup.Base;
using FastBackup.Native.Header;

namespace FastBackup.Native.Errors;

static class Status
{
    public const int Ok = Fb.Ok;
    public const int Pending = Fb.Pending;
    public const int Invalid = Fb.EInvalid;
    public const int Handle = Fb.EHandle;
    public const int State = Fb.EState;
    public const int Align = Fb.EAlign;
    public const int Range = Fb.ERange;
    public const int NoMemory = Fb.ENoMemory;
    public const int QueueFull = Fb.EQueueFull;
    public const int Io = Fb.EIo;
    public const int Canceled = Fb.ECanceled;
    public const int Unsupported = Fb.EUnsupported;
    public const int SnapshotLost = Fb.ESnapshotLost;
    public const int NoSpace = Fb.ENoSpace;
    public const int Truncated = Fb.ETruncated;
    public const int TimedOut = Fb.ETimedOut;
    public const int Forked = Fb.EForked;
    public const int Bug = Fb.EBug;

    public static int Of(FaultKind kind) =>
        kind switch
        {
            FaultKind.None => Ok,
            FaultKind.Invalid => Invalid,
            FaultKind.Handle => Handle,
            FaultKind.State => State,
            FaultKind.Align => Align,
            FaultKind.Range => Range,
            FaultKind.NoMemory => NoMemory,
            FaultKind.QueueFull => QueueFull,
            FaultKind.Io => Io,
            FaultKind.NoSpace => NoSpace,
            FaultKind.Truncated or FaultKind.Grown => Truncated,
            FaultKind.Canceled => Canceled,
            FaultKind.Unsupported => Unsupported,
            FaultKind.TimedOut => TimedOut,
            FaultKind.SnapshotLost => SnapshotLost,
            _ => Bug,
        };

    /// <summary>The other way: what a host's device answered.</summary>
    public static FaultKind ToFaultKind(int status) =>
        status switch
        {
            Ok => FaultKind.None,
            Invalid => FaultKind.Invalid,
            Align => FaultKind.Align,
            Range => FaultKind.Range,
            NoMemory => FaultKind.NoMemory,
            Canceled => FaultKind.Canceled,
            Unsupported => FaultKind.Unsupported,
            NoSpace => FaultKind.NoSpace,
            Truncated => FaultKind.Truncated,
            TimedOut => FaultKind.TimedOut,
            _ => FaultKind.Io,
        };

    /// <summary>Static bytes with a NUL at the end.</summary>
    public static System.ReadOnlySpan<byte> Name(int status) =>
        status switch
        {
            Ok => "FB_OK\0"u8,
            Pending => "FB_PENDING\0"u8,
            Invalid => "FB_E_INVALID\0"u8,
            Handle => "FB_E_HANDLE\0"u8,
            State => "FB_E_STATE\0"u8,
            Align => "FB_E_ALIGN\0"u8,
            Range => "FB_E_RANGE\0"u8,
            NoMemory => "FB_E_NO_MEMORY\0"u8,
            QueueFull => "FB_E_QUEUE_FULL\0"u8,
            Io => "FB_E_IO\0"u8,
            Canceled => "FB_E_CANCELED\0"u8,
            Unsupported => "FB_E_UNSUPPORTED\0"u8,
            SnapshotLost => "FB_E_SNAPSHOT_LOST\0"u8,
            NoSpace => "FB_E_NO_SPACE\0"u8,
            Truncated => "FB_E_TRUNCATED\0"u8,
            TimedOut => "FB_E_TIMED_OUT\0"u8,
            Forked => "FB_E_FORKED\0"u8,
            Bug => "FB_E_BUG\0"u8,
            _ => "FB_E_?\0"u8,
        };
}
