// The header of an image that is made, with the names of other files behind it: formats in extensions, what it is
// based on behind all of them.
// Source: QEMU docs/interop/qcow2.rst, "Header" and "Header extensions".
using System;
using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace FastBackup.Formats.Qcow2;

static class ImageHeader
{
    const int HeaderBytes = 112;
    const ulong IsLazy = 1; // compatible

    /// <param name="bytes">Of the first cluster, all zero.</param>
    /// <param name="options">Of the image.</param>
    /// <param name="l1">Where its L1 table lies, and how many entries it has.</param>
    /// <param name="refcounts">Where the table of reference counts lies, and its length.</param>
    public static void Fill(
        Span<byte> bytes,
        BlankImageOptions options,
        (ulong OffsetBytes, uint Count) l1,
        (ulong OffsetBytes, uint ClusterCount) refcounts
    )
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, HeaderParser.Magic);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], options.Version);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[20..], (uint)BitOperations.Log2(options.ClusterBytes));
        BinaryPrimitives.WriteUInt64BigEndian(bytes[24..], options.SizeBytes);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[36..], l1.Count);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[40..], l1.OffsetBytes);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[48..], refcounts.OffsetBytes);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[56..], refcounts.ClusterCount);
        int at = options.Version == 2 ? HeaderParser.LeastBytes : HeaderBytes;
        if (options.Version > 2)
            FillVersion3(bytes, options);
        if (options.BackingName != null && options.BackingFormat is { } format)
            at = AddExtension(bytes, at, HeaderParser.BackingFormatExtension, format);
        if (options.DataFileName is { } data)
            at = AddExtension(bytes, at, HeaderParser.DataFileExtension, data);
        at += 8; // the mark behind the last
        if (options.BackingName is not { } name)
            return;
        int length = Encoding.UTF8.GetBytes(name, bytes[at..]);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], (ulong)at);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[16..], (uint)length);
    }

    static void FillVersion3(Span<byte> bytes, BlankImageOptions options)
    {
        Qcow2Features features = Qcow2Features.None;
        if (options.DataFileName != null)
            features |= Qcow2Features.DataFile;
        if (options.Compression != Qcow2Compression.Zlib)
            features |= Qcow2Features.CompressionType;
        if (options.HasSubclusters)
            features |= Qcow2Features.ExtendedL2;
        BinaryPrimitives.WriteUInt64BigEndian(bytes[72..], (ulong)features);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[80..], options.IsLazy ? IsLazy : 0);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[88..], options.IsDataFileRaw ? HeaderParser.DataFileIsRaw : 0);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[96..], (uint)BitOperations.Log2(options.RefcountBits));
        BinaryPrimitives.WriteUInt32BigEndian(bytes[100..], HeaderBytes);
        bytes[104] = (byte)options.Compression;
    }

    static int AddExtension(Span<byte> bytes, int at, uint type, string text)
    {
        int length = Encoding.UTF8.GetBytes(text, bytes[(at + 8)..]);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[at..], type);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[(at + 4)..], (uint)length);
        return at + 8 + (length + 7) / 8 * 8;
    }
}
