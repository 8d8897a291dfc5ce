// Reads L2 entries, and puts them: what lies at an offset, and for how long the same goes on. Pure; any bytes are an
// answer, never an error of ours. A run ends with its slice at the latest.
//
// An entry has 64 bits (bit 63 "referenced once" is no matter to a reader):
//   bit 62 clear   bits 9..55 where the cluster lies, 0: nowhere; bit 0: reads as zero
//   bit 62 set     from bit 0 on an offset to the byte, above it the number of further sectors of 512
// With subclusters 64 more: bits 0..31 which parts lie there, 32..63 which read as zero; bit 0 above means nothing.
// Source: QEMU docs/interop/qcow2.rst, "Standard Cluster Descriptor" and those after it.
using System;
using System.Buffers.Binary;
using System.Numerics;

namespace FastBackup.Formats.Qcow2;

/// <summary>Immutable. Threads: any.</summary>
sealed class EntryReader(Qcow2Header header)
{
    public const ulong OffsetMask = 0x00ff_ffff_ffff_fe00;
    public const ulong Compressed = 1UL << 62;
    public const ulong Copied = 1UL << 63;
    public const ulong ZeroFlag = 1;

    readonly ulong _clusterBytes = header.ClusterBytes;
    readonly int _entryBytes = (int)header.L2EntryBytes;
    readonly bool _hasSubclusters = header.HasSubclusters;
    readonly bool _hasDataFile = header.HasDataFile;
    readonly bool _hasZeroes = header.Version >= 3;

    /// <summary>Bits of a compressed entry that are its offset.</summary>
    readonly int _packedOffsetBits = 62 - (header.ClusterBits - 8);

    /// <summary>One entry as it stands.</summary>
    public (ulong Entry, ulong Bits) Get(ReadOnlySpan<byte> slice, int index)
    {
        ReadOnlySpan<byte> bytes = slice[(index * _entryBytes)..];
        return (
            BinaryPrimitives.ReadUInt64BigEndian(bytes),
            _hasSubclusters ? BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]) : 0
        );
    }

    /// <summary>Changes one; without subclusters the bits are nothing.</summary>
    public void Put(Span<byte> slice, int index, ulong entry, ulong bits)
    {
        Span<byte> bytes = slice[(index * _entryBytes)..];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, entry);
        if (_hasSubclusters)
            BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], bits);
    }

    /// <summary>What an entry is, of a cluster without subclusters or as a whole.</summary>
    public ClusterKind KindOf(ulong entry)
    {
        if ((entry & Compressed) != 0)
            return _hasDataFile ? ClusterKind.Corrupt : ClusterKind.Compressed;
        ulong offset = entry & OffsetMask;
        bool isLost = (offset & (_clusterBytes - 1)) != 0;
        if ((entry & ZeroFlag) != 0 && !_hasSubclusters)
            return _hasZeroes && !isLost ? ClusterKind.Zero : ClusterKind.Corrupt;
        // In a file of its own guest data may begin at 0.
        if (offset == 0 && !(_hasDataFile && (entry & Copied) != 0))
            return ClusterKind.Unallocated;
        return isLost ? ClusterKind.Corrupt : ClusterKind.Data;
    }

    /// <summary>Where a packed cluster begins and how long it can be.</summary>
    public (ulong HostBytes, uint PackedBytes) Packed(ulong entry)
    {
        ulong host = entry & (1UL << _packedOffsetBits) - 1;
        ulong sectors = (entry & Compressed - 1) >> _packedOffsetBits;
        return (host, (uint)((sectors + 1) * 512 - (host & 511)));
    }

    /// <summary>The run that begins at an offset.</summary>
    /// <param name="slice">Entries.</param>
    /// <param name="offsetBytes">From the first entry's cluster on; within the slice.</param>
    /// <param name="lengthMax">At least 1.</param>
    public ClusterRun Find(ReadOnlySpan<byte> slice, ulong offsetBytes, ulong lengthMax)
    {
        int index = (int)(offsetBytes / _clusterBytes);
        int count = slice.Length / _entryBytes;
        ulong within = offsetBytes & (_clusterBytes - 1);
        ClusterRun run = One(slice, index, within);
        ulong endBytes = within + run.LengthBytes; // from the first cluster's start
        for (ulong wholeBytes = _clusterBytes; endBytes == wholeBytes; wholeBytes += _clusterBytes)
        {
            if (run.LengthBytes >= lengthMax || ++index >= count)
                break;
            ClusterRun next = One(slice, index, 0);
            if (!GoesOn(run, next))
                break;
            run = run with { LengthBytes = run.LengthBytes + next.LengthBytes };
            endBytes += next.LengthBytes;
        }
        return run with { LengthBytes = Math.Min(run.LengthBytes, lengthMax) };
    }

    static bool GoesOn(in ClusterRun run, in ClusterRun next) =>
        next.Kind == run.Kind
        && run.Kind switch
        {
            ClusterKind.Unallocated or ClusterKind.Zero => true,
            ClusterKind.Data => next.HostBytes == run.HostBytes + run.LengthBytes,
            _ => false,
        };

    /// <summary>A run that ends with its cluster.</summary>
    ClusterRun One(ReadOnlySpan<byte> slice, int index, ulong within)
    {
        (ulong entry, ulong bits) = Get(slice, index);
        ClusterKind kind = KindOf(entry);
        ulong left = _clusterBytes - within;
        if (kind == ClusterKind.Compressed)
        {
            (ulong host, uint packed) = Packed(entry);
            return new ClusterRun(kind, left, host, packed);
        }
        if (_hasSubclusters && kind is ClusterKind.Data or ClusterKind.Unallocated)
            return Part(entry, bits, kind, within);
        return kind == ClusterKind.Data
            ? new ClusterRun(kind, left, (entry & OffsetMask) + within)
            : new ClusterRun(kind, left);
    }

    ClusterRun Part(ulong entry, ulong bits, ClusterKind whole, ulong within)
    {
        uint stored = (uint)bits;
        uint zero = (uint)(bits >> 32);
        // No part is both, and none lies in a cluster that is nowhere.
        if ((stored & zero) != 0 || whole == ClusterKind.Unallocated && stored != 0)
            return new ClusterRun(ClusterKind.Corrupt, _clusterBytes - within);
        ulong partBytes = _clusterBytes / Qcow2Header.SubclusterCount;
        int part = (int)(within / partBytes);
        uint mask =
            (stored >> part & 1) != 0 ? stored
            : (zero >> part & 1) != 0 ? zero
            : ~(stored | zero);
        int same = Math.Min(BitOperations.TrailingZeroCount(~(mask >> part)), Qcow2Header.SubclusterCount - part);
        ulong length = (ulong)(part + same) * partBytes - within;
        return (stored >> part & 1) != 0 ? new ClusterRun(ClusterKind.Data, length, (entry & OffsetMask) + within)
            : (zero >> part & 1) != 0 ? new ClusterRun(ClusterKind.Zero, length)
            : new ClusterRun(ClusterKind.Unallocated, length);
    }
}
