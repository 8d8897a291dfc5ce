// One file command as a blocking kernel call, with the kernel's result: counts or a negative errno.
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.BlockIo;

static class FileCalls
{
    // SAFETY: whoever pushed the command owns LengthBytes at Buffer until its completion (IFileIo.TryPush),
    // which comes after these calls.

    /// <summary>Threads: any. Blocks for as long as the kernel does.</summary>
    public static unsafe long Execute(in FileCommand command) =>
        command.Operation switch
        {
            FileOperation.Read => Result(
                Files.Pread(
                    command.File.Fd,
                    (void*)command.Buffer,
                    (nuint)command.LengthBytes,
                    (long)command.OffsetBytes
                )
            ),
            FileOperation.Write => Write(command),
            FileOperation.Allocate => Result(
                Files.Fallocate(command.File.Fd, command.Mode, (long)command.OffsetBytes, (long)command.LengthBytes)
            ),
            FileOperation.Flush => Result(Files.Fdatasync(command.File.Fd)),
            FileOperation.Map => Map(command),
            _ => 0,
        };

    static unsafe long Write(in FileCommand command)
    {
        long written = Result(
            Files.Pwrite(command.File.Fd, (void*)command.Buffer, (nuint)command.LengthBytes, (long)command.OffsetBytes)
        );
        if (written < 0 || !command.IsDurable)
            return written;
        long flushed = Result(Files.Fdatasync(command.File.Fd));
        return flushed < 0 ? flushed : written;
    }

    /// <summary>
    /// Describes a range by SEEK_DATA and SEEK_HOLE until the range or the buffer ends. A file system that
    /// does not track holes says that everything is data, which is true enough. What lies past the end of a
    /// file that shrank is data too: reading it fails, while a hole would be taken for zeroes.
    /// </summary>
    static unsafe long Map(in FileCommand command)
    {
        // SAFETY: the owner of the command keeps room for Mode entries until the completion.
        Span<MapEntry> entries = new((void*)command.Buffer, command.Mode);
        ulong offset = command.OffsetBytes;
        ulong end = command.OffsetBytes + command.LengthBytes;
        int count = 0;
        while (offset < end && count < entries.Length)
        {
            long data = Files.Lseek(command.File.Fd, (long)offset, Files.SEEK_DATA);
            if (data < 0)
            {
                int errno = Marshal.GetLastPInvokeError();
                if (errno == Errnos.ENXIO) // nothing but a hole up to the end of the file, wherever that is now
                    data = Math.Max((long)offset, Math.Min(Files.Lseek(command.File.Fd, 0, Files.SEEK_END), (long)end));
                else if (errno == Errnos.EINVAL)
                    data = (long)offset;
                else
                    return -errno;
            }
            ulong dataStart = Math.Min((ulong)data, end);
            if (dataStart > offset)
            {
                entries[count++] = Entry(offset, dataStart, ExtentKind.Hole);
                offset = dataStart;
                continue;
            }
            long hole = Files.Lseek(command.File.Fd, (long)offset, Files.SEEK_HOLE);
            ulong holeStart = hole < 0 ? end : Math.Min((ulong)hole, end);
            // A file that shrank under us has its end at or before the offset: say data, the read will tell.
            if (holeStart <= offset)
                holeStart = end;
            entries[count++] = Entry(offset, holeStart, ExtentKind.Data);
            offset = holeStart;
        }
        return count;
    }

    static MapEntry Entry(ulong start, ulong end, ExtentKind kind) =>
        new()
        {
            OffsetBytes = start,
            LengthBytes = end - start,
            Kind = kind,
        };

    static long Result(long value) => value < 0 ? -Marshal.GetLastPInvokeError() : value;
}
