// Large files past the page cache: what is stored is not read again soon, and what others have in the cache is worth
// more; a copy of every byte is saved, too (of a GiB, 1.5 s of 3.3 on a virtual machine, which must be given each page
// anew). What is small, or no whole page, goes through the cache, and so does everything where the file system has no
// such thing. Both may be mixed in one file: the kernel keeps them together, and a flush is of both.
// Source: open(2), O_DIRECT.
using System;
using System.Collections.Concurrent;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;
using Microsoft.Win32.SafeHandles;

namespace FastBackup.Repositories;

/// <summary>Threads: any.</summary>
sealed class DirectFile
{
    /// <summary>Below it the cache is as good.</summary>
    public const int BytesLeast = 1 << 20;

    const int PageBytes = PageMemory.PageBytes;
    const int PieceBytes = 2 << 20;

    readonly ConcurrentBag<Memory<byte>> _pieces = [];

    /// <summary>Writes from the file's begin on.</summary>
    /// <param name="file">To write to.</param>
    /// <param name="content">At a page; else nothing is written.</param>
    /// <returns>How much was: the cache takes the rest, and says what is wrong.</returns>
    public static unsafe int Write(SafeFileHandle file, ReadOnlySpan<byte> content)
    {
        // SAFETY: nothing is written to the content, and the kernel has it during the calls only.
        fixed (byte* start = content)
        {
            if (content.Length < BytesLeast || (nuint)start % PageBytes != 0)
                return 0;
            using SafeFileHandle? direct = Reopen(file, Files.O_RDWR);
            if (direct == null)
                return 0;
            int whole = content.Length / PageBytes * PageBytes;
            int done = 0;
            while (done < whole)
            {
                int fd = (int)direct.DangerousGetHandle();
                nint count = Files.Pwrite(fd, start + done, (nuint)(whole - done), done);
                if (count <= 0)
                    break;
                done += (int)count;
            }
            return done;
        }
    }

    /// <param name="file">To read from.</param>
    /// <param name="offsetBytes">In the file.</param>
    /// <param name="part">Anywhere; at a page, as the offset, it saves a copy.</param>
    /// <returns>How much of the part was read: the cache has the rest, and says what is wrong.</returns>
    public int Read(SafeFileHandle file, long offsetBytes, Span<byte> part)
    {
        if (part.Length < BytesLeast)
            return 0;
        using SafeFileHandle? direct = Reopen(file, Files.O_RDONLY);
        if (direct == null)
            return 0;
        int done = ReadInPlace(direct, offsetBytes, part);
        if (done == part.Length)
            return done;
        Memory<byte> piece = _pieces.TryTake(out Memory<byte> free) ? free : PageMemory.Allocate(PieceBytes);
        while (done < part.Length)
        {
            int skipped = (int)((offsetBytes + done) % PageBytes);
            int wanted = Math.Min(PieceBytes, (skipped + part.Length - done + PageBytes - 1) / PageBytes * PageBytes);
            int count = ReadPages(direct, piece.Span[..wanted], offsetBytes + done - skipped) - skipped;
            if (count <= 0)
                break;
            count = Math.Min(count, part.Length - done);
            piece.Span.Slice(skipped, count).CopyTo(part[done..]);
            done += count;
        }
        _pieces.Add(piece);
        return done;
    }

    /// <summary>The whole pages, where both begin at one.</summary>
    static int ReadInPlace(SafeFileHandle file, long offsetBytes, Span<byte> part)
    {
        if (!IsAtPage(part) || offsetBytes % PageBytes != 0)
            return 0;
        int whole = part.Length / PageBytes * PageBytes;
        int done = 0;
        while (done < whole)
        {
            int count = ReadPages(file, part[done..whole], offsetBytes + done) / PageBytes * PageBytes;
            if (count <= 0)
                break;
            done += count;
        }
        return done;
    }

    static unsafe bool IsAtPage(ReadOnlySpan<byte> bytes)
    {
        // SAFETY: only the number is looked at; memory of PageMemory does not move.
        fixed (byte* start = bytes)
            return (nuint)start % PageBytes == 0;
    }

    static unsafe int ReadPages(SafeFileHandle file, Span<byte> pages, long offsetBytes)
    {
        // SAFETY: pages are pinned, and the kernel has them during the call only.
        fixed (byte* start = pages)
            return (int)Files.Pread((int)file.DangerousGetHandle(), start, (nuint)pages.Length, offsetBytes);
    }

    /// <returns>Null: it cannot be had in this way.</returns>
    static SafeFileHandle? Reopen(SafeFileHandle file, int flags)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        string self = $"/proc/self/fd/{file.DangerousGetHandle()}";
        int fd = NameCalls.Kernel.Open(Files.AT_FDCWD, self, flags | Files.O_DIRECT);
        return fd < 0 ? null : new SafeFileHandle(fd, ownsHandle: true);
    }
}
