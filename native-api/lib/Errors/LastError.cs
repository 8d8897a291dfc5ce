// What the last call that failed left, per thread. Setting it stores a reference; words are made only when the host
// asks.
using System;
using FastBackup.Base;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Errors;

/// <summary>Threads: any, each its own.</summary>
static class LastError
{
    [ThreadStatic]
    static Answer s_last;

    public static void Set(in Answer answer) => s_last = answer;

    /// <summary>For the I/O path: no text is made.</summary>
    /// <returns>The status.</returns>
    public static int Set(int status, string text, ulong offsetBytes = Fault.NoOffset)
    {
        s_last = new Answer(status, new Fault(FaultKind.None, 0, offsetBytes), text);
        return status;
    }

    public static unsafe void Fill(out ErrorRecord record)
    {
        Answer last = s_last;
        record = default;
        record.Status = last.Status;
        record.SysErrno = last.Fault.Errno;
        record.Offset = last.Status == Status.Ok ? Fault.NoOffset : last.Fault.OffsetBytes;
        string text = last.Status == Status.Ok ? "" : last.Text ?? last.Fault.ToString();
        fixed (byte* start = record.Text)
        {
            // SAFETY: the span is the record's own array.
            record.TextLength = (uint)Utf8Name.Write(text, new Span<byte>(start, ErrorRecord.TextBytes));
        }
    }
}
