// Of what a record of an unfinished copy is: which disk, as it was when; onto which file; in which units.
using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using FastBackup.Base;
using FastBackup.Ports;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Tracking.Resume;

/// <summary>Immutable.</summary>
public sealed record CopySubject
{
    internal const int LengthBytes = 128 + TrackedPoint.NameBytesMax;

    public required ulong DiskBytes { get; init; }

    public required uint ClusterBytes { get; init; }

    internal Digest32 SourceId { get; init; }

    internal ulong ModifiedNs { get; init; }

    internal ulong ChangedNs { get; init; }

    internal Digest32 TargetId { get; init; }

    /// <summary>The checkpoint at which the copy began; empty: none, and nobody may write to the disk.</summary>
    public string Point { get; init; } = "";

    /// <summary>When it was made, since 1970: another one of its name is another one.</summary>
    public ulong PointNs { get; init; }

    /// <param name="sourceFd">The disk. Without a point it is at rest.</param>
    /// <param name="diskBytes">Its size.</param>
    /// <param name="targetFd">The file or device.</param>
    /// <param name="clusterBytes">Of the copy.</param>
    /// <param name="point">Its name, or empty, and when it was made.</param>
    /// <param name="subject">Null after a fault.</param>
    /// <returns>None; Unsupported: nobody could tell later whether the disk was written to.</returns>
    public static Fault TryTake(
        int sourceFd,
        ulong diskBytes,
        int targetFd,
        uint clusterBytes,
        (string Name, ulong CreatedNs) point,
        out CopySubject? subject
    )
    {
        subject = null;
        if (!SystemPort.Current.KnowsDisks)
            return new Fault(FaultKind.Unsupported);
        Fault fault = DiskFacts.TryIdentifyFile(sourceFd, out Digest32 sourceId);
        Digest32 targetId = default;
        if (fault.IsNone)
            fault = DiskFacts.TryIdentifyFile(targetFd, out targetId);
        if (fault.IsFault)
            return fault;
        DiskFacts.AwaitTick();
        fault = DiskFacts.TryTimes(sourceFd, out ulong modifiedNs, out ulong changedNs);
        if (fault.IsNone && modifiedNs == 0)
            fault = new Fault(FaultKind.Unsupported);
        if (fault.IsFault && point.Name.Length == 0)
            return fault;
        subject = new CopySubject
        {
            DiskBytes = diskBytes,
            ClusterBytes = clusterBytes,
            SourceId = sourceId,
            ModifiedNs = modifiedNs,
            ChangedNs = changedNs,
            TargetId = targetId,
            Point = point.Name,
            PointNs = point.CreatedNs,
        };
        return Fault.None;
    }

    /// <summary>The same disk and the same file, whatever was written to them.</summary>
    public bool IsOfSame(CopySubject other) =>
        DiskBytes == other.DiskBytes && SourceId == other.SourceId && TargetId == other.TargetId;

    /// <summary>And nobody has written to the disk in between. Says no where nobody can tell.</summary>
    public bool IsUnchanged(CopySubject other) =>
        IsOfSame(other) && ModifiedNs != 0 && (ModifiedNs, ChangedNs) == (other.ModifiedNs, other.ChangedNs);

    internal void Write(Span<byte> bytes)
    {
        bytes[..LengthBytes].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, DiskBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], ClusterBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], ModifiedNs);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], ChangedNs);
        MemoryMarshal.Write(bytes[32..], SourceId.First);
        MemoryMarshal.Write(bytes[48..], SourceId.Second);
        MemoryMarshal.Write(bytes[64..], TargetId.First);
        MemoryMarshal.Write(bytes[80..], TargetId.Second);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[96..], PointNs);
        int nameBytes = Encoding.UTF8.GetBytes(Point, bytes[128..]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], (uint)nameBytes);
    }

    /// <returns>Null: no copy is like that.</returns>
    internal static CopySubject? Read(ReadOnlySpan<byte> bytes)
    {
        ulong diskBytes = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        uint clusterBytes = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        uint nameBytes = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]);
        bool isLegal =
            diskBytes is > 0 and <= long.MaxValue
            && Units.IsPowerOfTwo(clusterBytes)
            && clusterBytes >= 512
            && nameBytes <= TrackedPoint.NameBytesMax;
        if (!isLegal)
            return null;
        return new CopySubject
        {
            DiskBytes = diskBytes,
            ClusterBytes = clusterBytes,
            ModifiedNs = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
            ChangedNs = BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]),
            SourceId = ReadDigest(bytes[32..]),
            TargetId = ReadDigest(bytes[64..]),
            PointNs = BinaryPrimitives.ReadUInt64LittleEndian(bytes[96..]),
            Point = Encoding.UTF8.GetString(bytes.Slice(128, (int)nameBytes)),
        };
    }

    static Digest32 ReadDigest(ReadOnlySpan<byte> bytes) =>
        new(MemoryMarshal.Read<UInt128>(bytes), MemoryMarshal.Read<UInt128>(bytes[16..]));
}
