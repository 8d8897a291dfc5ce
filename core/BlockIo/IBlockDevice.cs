// What the engine knows of a disk: limits, and requests that complete exactly once. In the shape of
// libblkio: submitting cannot fail, a bad request fails in its completion, so there is one error path.
using System;
using FastBackup.Base;

namespace FastBackup.BlockIo;

public enum BlockOperation : byte
{
    Read,
    Write,
    WriteZeroes,

    /// <summary>The content may become anything; a hint that a device may ignore.</summary>
    Discard,

    /// <summary>All writes completed before this was submitted are durable after it; needs no range.</summary>
    Flush,

    /// <summary>Asks which parts hold data: fills the buffer with <see cref="MapEntry"/> items.</summary>
    Map,
}

/// <summary>
/// Whom a request is for: when a device cannot begin all at once, a higher lane (a lower number) goes first.
/// </summary>
public enum IoLane : byte
{
    /// <summary>A guest's own request.</summary>
    Guest,

    /// <summary>A guest's write waits for it.</summary>
    CopyBeforeWrite,

    /// <summary>A reader of a snapshot waits for it.</summary>
    Snapshot,

    /// <summary>A job's own progress.</summary>
    Background,
}

[Flags]
public enum BlockFlags : byte
{
    None = 0,

    /// <summary>Force unit access: durable when it completes.</summary>
    Fua = 1,

    /// <summary>WriteZeroes may deallocate.</summary>
    MayUnmap = 2,

    /// <summary>
    /// The buffer has room for the length rounded up to the device's alignment (reads at the device end).
    /// </summary>
    Padded = 4,
}

public enum ExtentKind : uint
{
    Data = 0,

    /// <summary>Not allocated; reads as zeroes.</summary>
    Hole = 1,
}

/// <summary>One run of a device's allocation map, as <see cref="BlockOperation.Map"/> fills it in: 24 bytes.</summary>
public struct MapEntry
{
    public ulong OffsetBytes;
    public ulong LengthBytes;
    public ExtentKind Kind;
    public uint Reserved;
}

/// <summary>Fixed facts of a device that is open.</summary>
public sealed record BlockLimits
{
    /// <summary>Any number of bytes; a file's size need not be a multiple of anything.</summary>
    public required ulong CapacityBytes { get; init; }

    /// <summary>
    /// Requests on this alignment (a power of two) take the fast path; others work
    /// as well, more slowly.
    /// </summary>
    public required uint RequestAlignBytes { get; init; }

    public required uint BufferAlignBytes { get; init; }

    /// <summary>
    /// The device was all zero when it was opened: a new file. See <see cref="IBlockDevice.ReadsAsZero"/>.
    /// </summary>
    public bool IsZeroInitialised { get; init; }

    public bool IsReadOnly { get; init; }

    /// <summary>Requests that one device carries out at once without allocating; more wait inside it.</summary>
    public uint InFlightMax { get; init; } = 1024;
}

/// <summary>One request; the buffer belongs to the device until the completion.</summary>
public struct BlockRequest
{
    public BlockOperation Operation;
    public BlockFlags Flags;
    public IoLane Lane;
    public ulong OffsetBytes;

    /// <summary>Bytes; for Map the range to describe.</summary>
    public ulong LengthBytes;

    /// <summary>Read, Write: LengthBytes of memory. Map: room for <see cref="MapCapacity"/> entries.</summary>
    public nint Buffer;

    /// <summary>Map: entries that fit the buffer, at least 1.</summary>
    public uint MapCapacity;
    public IBlockOwner Owner;

    /// <summary>Given back with the completion.</summary>
    public ulong UserData;
}

/// <param name="Fault">None on success.</param>
/// <param name="Count">Map: entries filled. Others: 0.</param>
public readonly record struct BlockResult(Fault Fault, uint Count = 0);

public interface IBlockOwner
{
    /// <summary>Called exactly once per request, on the loop's thread, never inside Submit.</summary>
    void OnBlockCompleted(ulong userData, in BlockResult result);
}

/// <summary>Threads: the loop's, unless a member says otherwise. Dispose when nothing is in flight.</summary>
public interface IBlockDevice : IDisposable
{
    /// <summary>For people: a path or a chosen name.</summary>
    string Name { get; }

    BlockLimits Limits { get; }

    uint InFlightCount { get; }

    /// <summary>
    /// Everything reads as zero: the device was new (<see cref="BlockLimits.IsZeroInitialised"/>) and nothing has been
    /// written to it through this object since.
    /// </summary>
    bool ReadsAsZero { get; }

    void Submit(in BlockRequest request);

    /// <summary>
    /// Somebody of a higher lane waits for this request: if the device has not begun it, it begins it now. A hint.
    /// </summary>
    void Promote(IBlockOwner owner, ulong userData) { }
}
