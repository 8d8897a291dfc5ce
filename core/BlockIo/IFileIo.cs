// The port between file devices and whatever carries out file commands: the kernel's ring, worker
// threads, or the simulator. A command is one kernel call with the kernel's own result, short counts,
// EAGAIN and all; making whole requests out of them is FileDevice's work, the same over every port.
using System;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.BlockIo;

public enum FileOperation : byte
{
    Read,
    Write,

    /// <summary>fallocate(2) with the mode in <see cref="FileCommand.Mode"/>.</summary>
    Allocate,

    /// <summary>fdatasync(2).</summary>
    Flush,

    /// <summary>
    /// Fills the buffer with <see cref="MapEntry"/> items by SEEK_DATA and SEEK_HOLE; the result is their count.
    /// </summary>
    Map,

    /// <summary>Does nothing and succeeds: for measuring the port itself.</summary>
    Nop,
}

/// <summary>An open file as a port knows it. Threads: the port's.</summary>
public sealed class FileHandle(int fd)
{
    public int Fd { get; } = fd;

    /// <summary>Index in the port's table of registered files, or -1.</summary>
    public int RegisteredIndex { get; set; } = -1;

    /// <summary>
    /// Reads and writes copy memory inside the kernel (tmpfs, page cache): the port hands them to another
    /// core instead of doing them inside the submission.
    /// </summary>
    public bool CopiesInKernel { get; init; }
}

/// <summary>One kernel call. Buffers belong to the kernel from push to completion.</summary>
public struct FileCommand
{
    public FileOperation Operation;

    /// <summary>Write: durable before it completes (RWF_DSYNC).</summary>
    public bool IsDurable;
    public FileHandle File;
    public ulong OffsetBytes;
    public ulong LengthBytes;
    public nint Buffer;

    /// <summary>fallocate(2) mode bits.</summary>
    public int Mode;
    public IFileIoOwner Owner;

    /// <summary>Given back with the completion.</summary>
    public ulong Tag;
}

public interface IFileIoOwner
{
    /// <summary>Called once for each command that was pushed, from <see cref="IFileIo.Poll"/>.</summary>
    /// <param name="tag">As pushed.</param>
    /// <param name="result">What the kernel returned: a count, or a negative error number.</param>
    void OnFileCompleted(ulong tag, long result);
}

/// <summary>Threads: one, except <see cref="Wake"/>.</summary>
public interface IFileIo : IDisposable
{
    /// <summary>For people: "io_uring", "threads", "simulated".</summary>
    string Name { get; }

    /// <summary>Commands pushed and not yet delivered.</summary>
    uint InFlightCount { get; }

    /// <summary>Accepts a command; nothing completes inside this call.</summary>
    /// <returns>False when the port is full: push again after the next Poll.</returns>
    bool TryPush(in FileCommand command);

    /// <summary>Starts what was pushed, waits if asked, and delivers what has completed.</summary>
    /// <param name="waitNs">0 = only look; else how long to wait for a first completion or a Wake; ulong.MaxValue = for
    /// ever.</param>
    /// <returns>Completions delivered.</returns>
    uint Poll(ulong waitNs);

    /// <summary>Ends a wait, or the next one. Threads: any.</summary>
    void Wake();

    /// <summary>
    /// Tells the port of memory that many commands will use. A hint: a fault (for a person to read) leaves
    /// everything working, only slower.
    /// </summary>
    Fault RegisterMemory(AlignedRegion region);

    void UnregisterMemory(AlignedRegion region);

    /// <summary>
    /// Closes the port with commands in flight, after a failure: the memory that they use must stay mapped.
    /// </summary>
    void Abandon();

    /// <summary>Forgets the file; no command on it may be in flight.</summary>
    void UnregisterFile(FileHandle file);
}
