// One file command as a blocking kernel call, with the kernel's result: counts or a negative errno.
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Carries a command out, for as long as that takes. Threads: any.</summary>
/// <returns>As the kernel: a count, or a negative error number.</returns>
public delegate long FileCall(in FileCommand command);

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
            FileOperation.Punch or FileOperation.ZeroRange or FileOperation.Discard => Result(
                Files.Fallocate(
                    command.File.Fd,
                    AllocateMode(command.Operation),
                    (long)command.OffsetBytes,
                    (long)command.LengthBytes
                )
            ),
            FileOperation.Flush => Result(Files.Fdatasync(command.File.Fd)),
            FileOperation.Map => Map(command),
            FileOperation.Mark => UnfinishedMark.Put(NameCalls.Kernel, command.File.Fd, command.OffsetBytes),
            FileOperation.Unmark => UnfinishedMark.Take(NameCalls.Kernel, command.File.Fd, command.OffsetBytes),
            FileOperation.Size => Result(Files.Lseek(command.File.Fd, 0, Files.SEEK_END)), // block devices, too
            _ => 0,
        };

    /// <summary>
    /// fallocate(2). A block device has no plain discard there (NO_HIDE_STALE is refused): a punch deallocates and
    /// zeroes.
    /// </summary>
    public static int AllocateMode(FileOperation operation) =>
        Files.FALLOC_FL_KEEP_SIZE
        | (operation == FileOperation.ZeroRange ? Files.FALLOC_FL_ZERO_RANGE : Files.FALLOC_FL_PUNCH_HOLE);

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
    /// does not track holes says that everything is data, which is true enough.
    /// </summary>
    static unsafe long Map(in FileCommand command)
    {
        // SAFETY: the owner of the command keeps room for so many entries until the completion.
        Span<MapEntry> entries = new((void*)command.Buffer, command.MapCapacity);
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
                    data = EndOfFile(command.File.Fd, offset, end);
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

    /// <summary>What lies past a file's end is called data: reading it then says that the file was truncated.</summary>
    static long EndOfFile(int fd, ulong offset, ulong end)
    {
        long sizeBytes = Files.Lseek(fd, 0, Files.SEEK_END);
        return sizeBytes < 0 ? (long)offset : (long)Math.Clamp((ulong)sizeBytes, offset, end);
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
