// The numbers of fb_status, and what each fault of the engine is among them. Numbers never change.
using FastBackup.Base;

namespace FastBackup.Native.Errors;

static class Status
{
    public const int Ok = 0;
    public const int Pending = 1;
    public const int Invalid = -1;
    public const int Handle = -2;
    public const int State = -3;
    public const int Align = -4;
    public const int Range = -5;
    public const int NoMemory = -6;
    public const int QueueFull = -7;
    public const int Io = -8;
    public const int Canceled = -9;
    public const int Unsupported = -10;
    public const int SnapshotLost = -11;
    public const int NoSpace = -12;
    public const int Truncated = -13;
    public const int TimedOut = -14;
    public const int Forked = -15;
    public const int Bug = -127;

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
            FaultKind.Truncated => Truncated,
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
