// The calls that need no engine: version, errors, kinds of handles.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Header;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Calls;

static class ProcessCalls
{
    const int KindShift = 56;

    public static uint AbiVersion() => Fb.AbiVersion;

    /// <summary>Static bytes: literals lie in the library's read-only part and never move.</summary>
    /// <remarks>The level is told by the kernels themselves: what is said here is the width that runs.</remarks>
    public static unsafe byte* VersionString() =>
        Address(
            BitmapKernels.WidthBits switch
            {
                512 => "0.1.0+v4\0"u8,
                256 => "0.1.0+v3\0"u8,
                _ => "0.1.0+v1\0"u8,
            }
        );

    public static unsafe byte* StatusName(int status) => Address(Status.Name(status));

    public static unsafe int LastErrorOf(ErrorStruct* host)
    {
        Describe(LastError.Last, out ErrorStruct record);
        return StructSize.TryWrite(host, ErrorStruct.SizeFirst, record).Status;
    }

    /// <summary>In the words of the header.</summary>
    internal static unsafe void Describe(Answer last, out ErrorStruct record)
    {
        record = default;
        record.Status = last.Status;
        record.SysErrno = last.Fault.Errno;
        record.Offset = last.Status == Status.Ok ? Fault.NoOffset : last.Fault.OffsetBytes;
        string text = last.Status == Status.Ok ? "" : last.Text ?? last.Fault.ToString();
        fixed (byte* start = record.Text)
        {
            // SAFETY: the span is the record's own array.
            record.TextLength = (uint)Utf8Name.Write(text, new Span<byte>(start, ErrorStruct.TextBytes));
        }
    }

    public static uint HandleKind(ulong id) => HandleTable.Find(id) != null ? (uint)(id >> KindShift) : 0;

    static unsafe byte* Address(ReadOnlySpan<byte> literal)
    {
        // SAFETY: a literal of bytes is constant data of the image, not an object of the collector: it never moves.
        fixed (byte* start = literal)
            return start;
    }
}
