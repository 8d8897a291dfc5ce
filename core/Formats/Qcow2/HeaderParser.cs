// From the first bytes of a file to a Qcow2Header, or the sentence that says what is wrong with it. A pure function of
// the bytes. Every number is taken for hostile.
// Source: QEMU docs/interop/qcow2.rst.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: any; one file.</summary>
/// <param name="head">The first cluster, or as much of it as the file has.</param>
ref struct HeaderParser(ReadOnlySpan<byte> head)
{
    /// <summary>All fields of version 2.</summary>
    public const int LeastBytes = 72;

    public const uint Magic = 0x514649fb;
    public const int LeastBytes3 = 104;
    const int CompressionOffset = 104;
    public const uint L1BytesMax = 32 << 20;
    public const uint RefcountTableBytesMax = 8 << 20;
    const uint SnapshotsMax = 65536;
    const uint BackingNameMax = 1023;
    const ulong DirectoryBytesMax = Qcow2Bitmap.CountMax * 1024UL;

    /// <summary>Among the bits that a writer who does not know them clears.</summary>
    public const ulong DataFileIsRaw = 2;

    public const uint BackingFormatExtension = 0xe2792aca;
    const uint FeatureNamesExtension = 0x6803f857;
    public const uint BitmapsExtension = 0x23852875;
    public const uint DataFileExtension = 0x44415441;
    const int FeatureNameBytes = 48;

    readonly ReadOnlySpan<byte> _head = head;
    string? _wrong;
    string? _backingFormat;
    string? _dataFileName;
    Qcow2BitmapTable? _bitmaps;
    readonly List<(byte, byte, string)> _names = [];

    /// <summary>The first bytes that tell how long a cluster is.</summary>
    /// <returns>Null, or the end of a sentence that begins with the file's name.</returns>
    public static string? TryClusterBits(ReadOnlySpan<byte> head, out int clusterBits)
    {
        clusterBits = 0;
        if (head.Length < LeastBytes || BinaryPrimitives.ReadUInt32BigEndian(head) != Magic)
            return "is no qcow2 image";
        uint version = BinaryPrimitives.ReadUInt32BigEndian(head[4..]);
        if (version is not (2 or 3))
            return Text($"has version {version} of the format qcow2; known are 2 and 3");
        uint bits = BinaryPrimitives.ReadUInt32BigEndian(head[20..]);
        if (bits is < Qcow2Header.ClusterBitsMin or > Qcow2Header.ClusterBitsMax)
            return Text($"has clusters of 2^{bits} bytes; a qcow2 image has 2^9 to 2^21");
        clusterBits = (int)bits;
        return null;
    }

    /// <returns>Null, or the end of a sentence that begins with the file's name.</returns>
    public string? TryParse(int clusterBits, out Qcow2Header? header)
    {
        header = null;
        uint version = Word(4);
        int headerBytes = LeastBytes;
        Qcow2Features features = Qcow2Features.None;
        if (version >= 3)
        {
            if (_head.Length < LeastBytes3 || Word(100) < LeastBytes3 || Word(100) > _head.Length)
                return "has a header that does not fit its first cluster";
            headerBytes = (int)Word(100);
            if (headerBytes % 8 != 0) // what follows is aligned from the header's end, or from the file's beginning?
                return Text($"has a header of {headerBytes} bytes, which are no multiple of 8");
            features = (Qcow2Features)Long(72);
        }
        ReadNamesFirst(headerBytes);
        Qcow2Header made = new()
        {
            Version = version,
            ClusterBits = clusterBits,
            SizeBytes = Long(24),
            L1Count = Word(36),
            L1OffsetBytes = Long(40),
            RefcountTableOffsetBytes = Long(48),
            RefcountTableClusters = Word(56),
            SnapshotCount = Word(60),
            SnapshotsOffsetBytes = Long(64),
            Features = features,
            CompatibleFeatures = version >= 3 ? Long(80) : 0,
            AutoclearFeatures = version >= 3 ? Long(88) : 0,
            RefcountOrder = version >= 3 ? (int)Math.Min(Word(96), 7) : 4,
            Compression = headerBytes > CompressionOffset ? (Qcow2Compression)_head[CompressionOffset] : default,
            BackingName = BackingName(clusterBits),
            BackingFormat = _backingFormat,
            DataFileName = _dataFileName,
            Bitmaps = _bitmaps,
            FeatureNames = _names,
        };
        _wrong ??= CheckFeatures(made) ?? CheckCrypt() ?? CheckTables(made);
        if (_wrong == null)
            header = made;
        return _wrong;
    }

    /// <summary>Extensions follow the header up to the backing file's name, or the end of the cluster.</summary>
    void ReadNamesFirst(int headerBytes)
    {
        ulong nameOffset = Long(8);
        int end = nameOffset > 0 && nameOffset < (ulong)_head.Length ? (int)nameOffset : _head.Length;
        int at = headerBytes;
        while (_wrong == null && at + 8 <= end)
        {
            uint type = Word(at);
            uint length = Word(at + 4);
            at += 8;
            if (length > (uint)(end - at))
            {
                _wrong = Text($"has a header extension of {length} bytes, more than there is room for");
                return;
            }
            if (type == 0)
                return;
            Read(type, _head.Slice(at, (int)length));
            at = (int)Math.Min(Units.AlignUp((ulong)at + length, 8), (ulong)end);
        }
    }

    void Read(uint type, ReadOnlySpan<byte> bytes)
    {
        switch (type)
        {
            case BackingFormatExtension:
                _backingFormat = Name(bytes, 15, "the format of a backing file");
                break;
            case DataFileExtension:
                _dataFileName = Name(bytes, (int)BackingNameMax, "the name of a data file");
                break;
            case FeatureNamesExtension:
                for (; bytes.Length >= FeatureNameBytes; bytes = bytes[FeatureNameBytes..])
                    _names.Add((bytes[0], bytes[1], Printable(bytes[2..FeatureNameBytes])));
                break;
            case BitmapsExtension:
                ReadBitmaps(bytes);
                break;
            default:
                break; // of no meaning to who reads
        }
    }

    void ReadBitmaps(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != 24)
        {
            _wrong = Text($"has an extension for bitmaps of {bytes.Length} bytes in place of 24");
            return;
        }
        if (Word(4) < 3 || (Long(88) & Qcow2Bitmap.IsConsistent) == 0)
            return; // what it says is not true any more
        if (_bitmaps != null || BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]) != 0)
        {
            _wrong = "has an extension for bitmaps that no writer makes";
            return;
        }
        uint count = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        ulong length = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        ulong offset = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        if (count is 0 or > Qcow2Bitmap.CountMax || length is 0 or > DirectoryBytesMax)
            _wrong = Text($"has {count} bitmaps in a directory of {length} bytes, which no image has");
        else
            _bitmaps = new Qcow2BitmapTable(count, length, offset);
    }

    string? BackingName(int clusterBits)
    {
        ulong offset = Long(8);
        uint length = Word(16);
        bool isInside = offset <= 1UL << clusterBits && (length <= BackingNameMax || offset == 0);
        if (isInside && (offset == 0 || length == 0) || _wrong != null)
            return null;
        if (!isInside || offset + length > (ulong)_head.Length)
        {
            _wrong = "names a backing file outside its first cluster";
            return null;
        }
        return Name(_head.Slice((int)offset, (int)length), (int)BackingNameMax, "the name of a backing file");
    }

    /// <summary>A name is a path: bytes without a zero, that are UTF-8.</summary>
    string? Name(ReadOnlySpan<byte> bytes, int lengthMax, string what)
    {
        if (bytes.Length is > 0 && bytes.Length <= lengthMax && !bytes.Contains((byte)0) && IsText(bytes))
            return Encoding.UTF8.GetString(bytes);
        if (bytes.Length > 0)
            _wrong = Text($"has {what} that is none");
        return null;
    }

    static bool IsText(ReadOnlySpan<byte> bytes) => System.Text.Unicode.Utf8.IsValid(bytes);

    static string Printable(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        StringBuilder text = new();
        foreach (byte one in end < 0 ? bytes : bytes[..end])
            _ = text.Append(one is >= 0x20 and < 0x7f ? (char)one : '?');
        return text.ToString();
    }

    string? CheckFeatures(Qcow2Header header)
    {
        ulong unknown = (ulong)(header.Features & ~Qcow2Features.Known);
        if (unknown != 0)
            return $"needs features that are not known here: {FeatureText(unknown)}";
        if (header.RefcountOrder > 6)
            return Text($"has reference counts of 2^{Word(96)} bits; 2^6 are the most");
        bool isNamed = (header.Features & Qcow2Features.CompressionType) != 0;
        if (isNamed != (header.Compression != Qcow2Compression.Zlib))
            return "contradicts itself about its type of compression";
        if (header.Compression > Qcow2Compression.Zstd)
            return Text($"has compression of type {(byte)header.Compression}; known are 0 (zlib) and 1 (zstd)");
        if ((header.AutoclearFeatures & DataFileIsRaw) != 0 && !header.HasDataFile)
            return "says that its data file is raw, and has none";
        if (header.HasSubclusters && header.ClusterBits < 14)
            return Text($"has subclusters in clusters of {header.ClusterBytes} bytes; they need 16384");
        return null;
    }

    readonly string FeatureText(ulong unknown)
    {
        List<string> words = [];
        for (byte bit = 0; bit < 64; bit++)
        {
            if ((unknown >> bit & 1) == 0)
                continue;
            (byte, byte, string Name) named = _names.Find(one => one.Item1 == 0 && one.Item2 == bit);
            words.Add(named.Name is { Length: > 0 } name ? $"'{name}' (bit {bit})" : Text($"bit {bit}"));
        }
        return string.Join(", ", words);
    }

    readonly string? CheckCrypt() =>
        Word(32) switch
        {
            0 => null,
            1 => "is encrypted (AES), which is not read here",
            2 => "is encrypted (LUKS), which is not read here",
            uint method => Text($"is encrypted by method {method}, which is not known"),
        };

    static string? CheckTables(Qcow2Header header)
    {
        ulong l1Bytes = header.L1Count * 8UL;
        ulong needed = Units.DivCeil(header.SizeBytes, header.L1SpanBytes);
        ulong tableBytes = (ulong)header.RefcountTableClusters << header.ClusterBits;
        if (header.SizeBytes > long.MaxValue || l1Bytes > L1BytesMax || needed > L1BytesMax / 8)
            return Text($"is too large: a disk of {header.SizeBytes} bytes by an L1 table of {header.L1Count} entries");
        if (header.L1Count < needed)
            return Text($"has an L1 table of {header.L1Count} entries; its disk needs {needed}");
        bool hasNone = header is { L1Count: 0, L1OffsetBytes: 0 };
        if (!hasNone && !IsPlace(header, header.L1OffsetBytes, l1Bytes))
            return Text($"has its L1 table at {header.L1OffsetBytes}, where none can be");
        if (header.RefcountTableClusters == 0 || tableBytes > RefcountTableBytesMax)
            return Text($"has a table of reference counts of {header.RefcountTableClusters} clusters");
        if (!IsPlace(header, header.RefcountTableOffsetBytes, tableBytes))
            return Text($"has its table of reference counts at {header.RefcountTableOffsetBytes}, where none can be");
        if (header.SnapshotCount > SnapshotsMax)
            return Text($"has {header.SnapshotCount} snapshots; {SnapshotsMax} are the most");
        bool isNowhere = header is { SnapshotCount: 0, SnapshotsOffsetBytes: 0 };
        if (!isNowhere && !IsPlace(header, header.SnapshotsOffsetBytes, 0))
            return Text($"has its table of snapshots at {header.SnapshotsOffsetBytes}, where none can be");
        if (header.Bitmaps is { } bitmaps && !IsPlace(header, bitmaps.DirectoryOffsetBytes, bitmaps.DirectoryBytes))
            return Text($"has its directory of bitmaps at {bitmaps.DirectoryOffsetBytes}, where none can be");
        return null;
    }

    static bool IsPlace(Qcow2Header header, ulong offset, ulong length) =>
        offset > 0
        && Units.IsAligned(offset, header.ClusterBytes)
        && Units.TryAdd(offset, length, out ulong end)
        && end <= long.MaxValue;

    readonly uint Word(int at) => BinaryPrimitives.ReadUInt32BigEndian(_head[at..]);

    readonly ulong Long(int at) => BinaryPrimitives.ReadUInt64BigEndian(_head[at..]);

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
