// What the engine knows of a disk: limits, and requests that complete exactly once. In the shape of
// libblkio: submitting cannot fail, a bad request fails in its completion, so there is one error path.
using System;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Devices;

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

    /// <summary>
    /// Asks whether the device has its capacity: Truncated or Grown, with both sizes, when it has not.
    /// Needs no range.
    /// </summary>
    Size,
}

public static class BlockOperations
{
    /// <summary>It may change what the device holds.</summary>
    public static bool IsWrite(this BlockOperation operation) =>
        operation is BlockOperation.Write or BlockOperation.WriteZeroes or BlockOperation.Discard;

    public static bool HasRange(this BlockOperation operation) =>
        operation is not (BlockOperation.Flush or BlockOperation.Size);
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

    /// <summary>Flush: what was written since BeginImage is a whole image after it; its mark goes, durably.</summary>
    Seal = 8,

    /// <summary>
    /// WriteZeroes: only where the range need not be written, else it fails at once with Unsupported, and the range may
    /// be zero in part. For devices whose <see cref="BlockLimits.CanZeroFast"/> is set.
    /// </summary>
    FastOnly = 16,
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

    /// <summary>
    /// It was only probed to be raw, so a write that would make an image of another format of it fails with EPERM.
    /// </summary>
    public bool IsHeadGuarded { get; init; }

    /// <summary>It answers <see cref="BlockOperation.Size"/>.</summary>
    public bool CanTellSize { get; init; }

    /// <summary>It knows <see cref="BlockFlags.FastOnly"/>: mostly it can, and says at once where it cannot.</summary>
    public bool CanZeroFast { get; init; }

    /// <summary>What was read is kept near for a while: a read whose data is thrown away makes the next one fast.
    /// </summary>
    public bool ReadsThroughCache { get; init; }

    /// <summary>A write may be asked for again when a connection has ended: <see cref="IBlockDevice.MayChangeLate"/>.
    /// </summary>
    public bool MayRepeatWrites { get; init; }

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

    /// <summary>What is behind the device has so many bytes now: requests may reach as far.</summary>
    /// <param name="capacityBytes">Not below what it has.</param>
    /// <returns>None, or Unsupported: its size is fixed.</returns>
    Fault Grow(ulong capacityBytes) => new(FaultKind.Unsupported);

    uint InFlightCount { get; }

    /// <summary>Which storage it is; null for one that nothing else reaches.</summary>
    StorageIdentity? Storage => null;

    /// <summary>
    /// Everything reads as zero: the device was new (<see cref="BlockLimits.IsZeroInitialised"/>) and nothing has been
    /// written to it through this object since.
    /// </summary>
    bool ReadsAsZero { get; }

    /// <summary>
    /// An older write than the last may still land here: it was asked for again over another connection, and the first
    /// one may be carried out yet. What is written here again must be the same bytes.
    /// </summary>
    bool MayChangeLate(in Extent range) => false;

    void Submit(in BlockRequest request);

    /// <summary>
    /// A job makes an image here: what it writes must not look whole before a flush with <see cref="BlockFlags.Seal"/>,
    /// however the process ends. For devices that can be marked.
    /// </summary>
    /// <param name="bitmapSerial">Of the bitmap whose areas are copied; 0: everything is.</param>
    void BeginImage(ulong bitmapSerial) { }

    /// <summary>The job has ended, well or not: later writes are no part of an image.</summary>
    void EndImage() { }

    /// <summary>
    /// Somebody of a higher lane waits for this request: if the device has not begun it, it begins it now. A hint, but
    /// for whoever hands requests on to hand on as well.
    /// </summary>
    void Promote(IBlockOwner owner, ulong userData);

    /// <summary>
    /// As Dispose, but after the last request that the device still holds: for one that does not answer. Nothing may be
    /// submitted any more. Threads: the loop's.
    /// </summary>
    void DisposeWhenIdle() => Dispose();
}
