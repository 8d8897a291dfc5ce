// The port between file devices and whatever carries out file commands: the kernel's ring, worker
// threads, or the simulator. A command is one call to the system with its own result, short counts, "ask again"
// and all; making whole requests out of them is FileDevice's work, the same over every port.
using System;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Ports;

public enum FileOperation : byte
{
    Read,
    Write,

    /// <summary>The range reads as zeroes and need not be allocated any more. The file keeps its size.</summary>
    Punch,

    /// <summary>The range reads as zeroes and stays, or becomes, allocated. The file keeps its size.</summary>
    ZeroRange,

    /// <summary>What is in the range is wanted no more, and may become anything.</summary>
    Discard,

    /// <summary>What has been written is durable after it.</summary>
    Flush,

    /// <summary>
    /// Fills the buffer with <see cref="MapEntry"/> items, at most <see cref="FileCommand.MapCapacity"/>, from the
    /// beginning of the range; the result is their count.
    /// </summary>
    Map,

    /// <summary>Marks the file as an unfinished image, durably; OffsetBytes is the bitmap's serial.</summary>
    Mark,

    /// <summary>Takes the mark away, durably; OffsetBytes as with Mark.</summary>
    Unmark,

    /// <summary>The result is the size of the file or block device as it is now.</summary>
    Size,

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

    /// <summary>What every transfer must be a multiple of, memory included; 0: nothing. A power of two.</summary>
    public uint AlignBytes { get; init; }

    /// <summary>Threads of this file's own, where the port has given it some; its handles share them.</summary>
    public IFileWorkers? Workers { get; init; }
}

/// <summary>One call to the system. Buffers belong to it from push to completion.</summary>
public struct FileCommand
{
    public FileOperation Operation;

    /// <summary>Write: durable before it completes.</summary>
    public bool IsDurable;
    public FileHandle File;
    public ulong OffsetBytes;
    public ulong LengthBytes;
    public nint Buffer;

    /// <summary>Map: entries for which the buffer has room.</summary>
    public int MapCapacity;
    public IFileIoOwner Owner;

    /// <summary>Given back with the completion.</summary>
    public ulong Tag;

    /// <summary>Of a transfer: offset, length and memory are what the file asks for.</summary>
    public readonly bool IsAligned =>
        File.AlignBytes == 0 || Units.IsAligned(OffsetBytes | LengthBytes | (ulong)Buffer, File.AlignBytes);
}

public interface IFileIoOwner
{
    /// <summary>Called once for each command that was pushed, from <see cref="IFileIo.Poll"/>.</summary>
    /// <param name="tag">As pushed.</param>
    /// <param name="result">What came of it.</param>
    void OnFileCompleted(ulong tag, in FileResult result);
}

/// <summary>Threads: one, except <see cref="Wake"/> and <see cref="StartWorkers"/>.</summary>
public interface IFileIo : IDisposable
{
    /// <summary>For people: "io_uring", "threads", "simulated".</summary>
    string Name { get; }

    /// <summary>Commands pushed and not yet delivered.</summary>
    uint InFlightCount { get; }

    /// <summary>
    /// The threads that a file which is being opened needs here; whoever opens it closes them. Threads: any.
    /// </summary>
    /// <param name="mayBlock">
    /// A call on the file may block where it is made: it is not known that its file system honours "do not block".
    /// </param>
    /// <returns>Null: none.</returns>
    /// <exception cref="InsufficientMemoryException">The system refuses threads.</exception>
    IFileWorkers? StartWorkers(bool mayBlock) => null;

    /// <summary>Accepts a command; nothing completes inside this call.</summary>
    /// <returns>False when the port is full: push again after the next Poll.</returns>
    bool TryPush(in FileCommand command);

    /// <summary>Starts what was pushed, waits if asked, and delivers what has completed.</summary>
    /// <param name="waitNs">0 = only look; else how long to wait for a first completion or a Wake; ulong.MaxValue = for
    /// ever.</param>
    /// <returns>Completions delivered.</returns>
    uint Poll(ulong waitNs);

    /// <summary>
    /// The last Poll left something that only another one starts: a command not yet submitted, a wake that nothing
    /// waits for. Whoever waits for the port's descriptor instead of in Poll must poll again before.
    /// </summary>
    bool NeedsPoll => false;

    /// <summary>Ends a wait, or the next one. Threads: any.</summary>
    void Wake();

    /// <summary>A wait also ends when this descriptor is readable, from now on. Once; it outlives the waits.</summary>
    void Watch(int fd);

    /// <summary>The descriptor that is watched may have become readable since the last Poll began.</summary>
    bool MayWatchedBeReady => true;

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
