// The calls that need no engine: version, errors, kinds of handles.
using System.Runtime.Intrinsics;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Exports;

static class ProcessCalls
{
    const uint AbiNumber = 1;
    const int KindShift = 56;

    public static uint AbiVersion() => AbiNumber;

    /// <summary>Static bytes: literals lie in the library's read-only part and never move.</summary>
    public static nint VersionString() =>
        Address(
            Vector512.IsHardwareAccelerated ? "0.1.0+v4\0"u8
            : Vector256.IsHardwareAccelerated ? "0.1.0+v3\0"u8
            : "0.1.0+v1\0"u8
        );

    public static nint StatusName(int status) => Address(Status.Name(status));

    public static unsafe int LastErrorOf(ErrorRecord* host)
    {
        LastError.Fill(out ErrorRecord record);
        return StructSize.TryWrite(host, ErrorRecord.SizeFirst, record).Status;
    }

    public static uint HandleKind(ulong id) => HandleTable.Find(id) != null ? (uint)(id >> KindShift) : 0;

    static unsafe nint Address(System.ReadOnlySpan<byte> literal)
    {
        // SAFETY: a literal of bytes is constant data of the image, not an object of the collector: it never moves.
        fixed (byte* start = literal)
            return (nint)start;
    }
}
