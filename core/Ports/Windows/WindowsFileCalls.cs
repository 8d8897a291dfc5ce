// One file command as a call that blocks, for the threads of a file and for cold places. Handles are open for
// overlapped calls and may belong to a completion port: an event with its lowest bit set keeps it from being told.
//
//   durable write   a write and a flush: FILE_FLAG_WRITE_THROUGH is a property of a handle, and does not make every
//                   device empty its cache
//   punch           the range is given back where the file is sparse, else written as zeroes by the file system;
//                   where it knows neither (FAT, error 50) it is refused, and the device writes the zeroes
//   map             the allocated ranges; a file system that does not tell has nothing but data
// Source: FSCTL_SET_ZERO_DATA, FSCTL_QUERY_ALLOCATED_RANGES, GetQueuedCompletionStatus in the Windows documentation.
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Windows;
using FastBackup.Ports.Linux;

namespace FastBackup.Ports.Windows;

/// <summary>Threads: any. Blocks for as long as the system does.</summary>
public static class WindowsFileCalls
{
    const int RangesAtOnce = 64;

    /// <summary>FILE_ALLOCATED_RANGE_BUFFER; as FILE_ZERO_DATA_INFORMATION the second is the end.</summary>
    [StructLayout(LayoutKind.Sequential)]
    struct FileRange
    {
        public ulong Offset;
        public ulong Length;
    }

    // SAFETY: in the whole file, whoever pushed a command owns LengthBytes at Buffer until its completion, which comes
    // after these calls; all other structures are of the frame that waits for the call.

    /// <returns>A count, or a negative error number.</returns>
    public static unsafe long Execute(in FileCommand command)
    {
        int fd = command.File.Fd;
        switch (command.Operation)
        {
            case FileOperation.Read:
                return Read(fd, (void*)command.Buffer, (uint)command.LengthBytes, command.OffsetBytes);
            case FileOperation.Write:
                long written = Write(fd, (void*)command.Buffer, (uint)command.LengthBytes, command.OffsetBytes);
                int flushed = written >= 0 && command.IsDurable ? Flush(fd) : 0;
                return flushed < 0 ? flushed : written;
            case FileOperation.Punch:
            case FileOperation.Discard:
                return Punch(fd, command.OffsetBytes, command.LengthBytes);
            case FileOperation.ZeroRange:
                return -Errnos.EOPNOTSUPP; // no call leaves the range allocated
            case FileOperation.Flush:
                return Flush(fd);
            case FileOperation.Map:
                return Map(command);
            case FileOperation.Mark:
                return UnfinishedMark.Put(NameCalls.Kernel, fd, command.OffsetBytes);
            case FileOperation.Unmark:
                return UnfinishedMark.Take(NameCalls.Kernel, fd, command.OffsetBytes);
            case FileOperation.Size:
                return WindowsLook.SizeBytes(fd);
            default:
                return 0;
        }
    }

    /// <returns>Bytes, 0 at the end of the file; or a negative error number.</returns>
    public static unsafe long Read(int fd, void* buffer, uint lengthBytes, ulong offsetBytes)
    {
        IoOverlapped overlapped = At(offsetBytes);
        int errno = Begin(ref overlapped);
        if (errno != 0)
            return -errno;
        bool isDone = OpenFiles.Read(fd, buffer, lengthBytes, null, &overlapped) != 0;
        return End(fd, &overlapped, isDone);
    }

    /// <returns>Bytes, or a negative error number.</returns>
    public static unsafe long Write(int fd, void* buffer, uint lengthBytes, ulong offsetBytes)
    {
        IoOverlapped overlapped = At(offsetBytes);
        int errno = Begin(ref overlapped);
        if (errno != 0)
            return -errno;
        bool isDone = OpenFiles.Write(fd, buffer, lengthBytes, null, &overlapped) != 0;
        return End(fd, &overlapped, isDone);
    }

    /// <returns>0, or a negative error number. What is open for reading only has nothing of ours to flush.</returns>
    public static int Flush(int fd)
    {
        if (OpenFiles.Flush(fd) != 0)
            return 0;
        int errno = WindowsFault.Last();
        return errno == Errnos.EACCES ? 0 : -errno;
    }

    /// <summary>DeviceIoControl.</summary>
    /// <returns>0, or an error number; ENODATA: there is more than the answer holds.</returns>
    public static unsafe int Control(
        int fd,
        uint code,
        void* input,
        uint inputBytes,
        void* output,
        uint outputBytes,
        out uint answerBytes
    )
    {
        answerBytes = 0;
        IoOverlapped overlapped = default;
        int errno = Begin(ref overlapped);
        if (errno != 0)
            return errno;
        bool isDone = OpenFiles.Control(fd, code, input, inputBytes, output, outputBytes, null, &overlapped) != 0;
        long result = End(fd, &overlapped, isDone);
        answerBytes = result >= 0 ? (uint)result : (uint)overlapped.TransferredBytes;
        return result < 0 ? (int)-result : 0;
    }

    static unsafe long Punch(int fd, ulong offsetBytes, ulong lengthBytes)
    {
        FileRange range = new() { Offset = offsetBytes, Length = offsetBytes + lengthBytes };
        return -Control(fd, OpenFiles.FSCTL_SET_ZERO_DATA, &range, (uint)sizeof(FileRange), null, 0, out _);
    }

    static unsafe long Map(in FileCommand command)
    {
        Span<MapEntry> entries = new((void*)command.Buffer, command.MapCapacity);
        FileRange* found = stackalloc FileRange[RangesAtOnce];
        long sizeBytes = WindowsLook.SizeBytes(command.File.Fd);
        if (sizeBytes < 0)
            return sizeBytes;
        ulong offset = command.OffsetBytes;
        ulong end = offset + command.LengthBytes;
        ulong knownEnd = Math.Clamp((ulong)sizeBytes, offset, end); // past it: data, and a read tells that it ends
        MapFill fill = new(entries, offset);
        while (!fill.IsFull && fill.EndBytes < knownEnd)
        {
            FileRange asked = new() { Offset = fill.EndBytes, Length = knownEnd - fill.EndBytes };
            int errno = Control(
                command.File.Fd,
                OpenFiles.FSCTL_QUERY_ALLOCATED_RANGES,
                &asked,
                (uint)sizeof(FileRange),
                found,
                (uint)(RangesAtOnce * sizeof(FileRange)),
                out uint answerBytes
            );
            if (errno is Errnos.EOPNOTSUPP or Errnos.EINVAL)
                break; // a volume, FAT
            if (errno is not (0 or Errnos.ENODATA))
                return -errno;
            uint count = answerBytes / (uint)sizeof(FileRange);
            for (uint i = 0; i < count; i++)
            {
                ulong start = Math.Clamp(found[i].Offset, fill.EndBytes, knownEnd);
                fill.AddUpTo(start, ExtentKind.Hole);
                fill.AddUpTo(Math.Clamp(found[i].Offset + found[i].Length, start, knownEnd), ExtentKind.Data);
            }
            if (errno == 0 || count == 0)
                fill.AddUpTo(knownEnd, ExtentKind.Hole);
        }
        fill.AddUpTo(end, ExtentKind.Data);
        return fill.Count;
    }

    static IoOverlapped At(ulong offsetBytes) =>
        new() { OffsetLow = (uint)offsetBytes, OffsetHigh = (uint)(offsetBytes >> 32) };

    static unsafe int Begin(ref IoOverlapped overlapped)
    {
        nint signal = Handles.CreateEvent(null, 1, 0, null);
        overlapped.Event = signal | 1;
        return signal == 0 ? Errnos.ENOMEM : 0;
    }

    static unsafe long End(int fd, IoOverlapped* overlapped, bool isDone)
    {
        uint error = isDone ? 0 : (uint)Marshal.GetLastPInvokeError();
        uint count = (uint)overlapped->TransferredBytes;
        if (error == WindowsErrors.ERROR_IO_PENDING)
            error = OpenFiles.Result(fd, overlapped, &count, 1) != 0 ? 0 : (uint)Marshal.GetLastPInvokeError();
        _ = Handles.Close(overlapped->Event & ~1);
        return error switch
        {
            0 => count,
            WindowsErrors.ERROR_HANDLE_EOF => 0,
            WindowsErrors.ERROR_MORE_DATA => -Errnos.ENODATA,
            _ => -WindowsFault.ToErrno(error),
        };
    }
}
