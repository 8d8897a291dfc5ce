// The header of a new image, with how it is packed and what it is based on: format in an extension, name behind all of
// them.
// Source: QEMU docs/interop/qcow2.rst, "Header" and "Header extensions".
using System;
using System.Buffers.Binary;
using System.Text;

namespace FastBackup.Formats.Qcow2;

static class NewImageHeader
{
    const uint Magic = 0x514649fb;
    const uint FormatExtension = 0xe2792aca;
    const int HeaderBytes = 112;

    /// <param name="bytes">Of the first cluster.</param>
    /// <param name="shape">Of the image.</param>
    /// <param name="l1Bytes">Where its L1 table lies.</param>
    /// <param name="refcountBytes">Where its table of reference counts lies.</param>
    /// <param name="refcountClusters">Of that.</param>
    public static void Fill(
        Span<byte> bytes,
        NewImageShape shape,
        ulong l1Bytes,
        ulong refcountBytes,
        ulong refcountClusters
    )
    {
        bytes.Clear();
        BinaryPrimitives.WriteUInt32BigEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], 3);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[20..], NewImageShape.ClusterBits);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[24..], shape.SizeBytes);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[36..], (uint)shape.TableCount);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[40..], l1Bytes);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[48..], refcountBytes);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[56..], (uint)refcountClusters);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[96..], 4); // counts of 16 bits
        BinaryPrimitives.WriteUInt32BigEndian(bytes[100..], HeaderBytes);
        if (shape.Options.Packing is { Type: not Qcow2Compression.Zlib } packing) // zlib needs no word
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes[72..], (ulong)Qcow2Features.CompressionType);
            bytes[104] = (byte)packing.Type;
        }
        if (shape.Options.BackingName is { } name)
            FillBacking(bytes, HeaderBytes, name, shape.Options.BackingFormat!);
    }

    static void FillBacking(Span<byte> bytes, int at, string name, string format)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes[at..], FormatExtension);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[(at + 4)..], (uint)format.Length);
        _ = Encoding.ASCII.GetBytes(format, bytes[(at + 8)..]);
        at += 8 + 8 + 8; // a name of up to 8 bytes, and the end of the extensions
        int length = Encoding.UTF8.GetBytes(name, bytes[at..]);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], (ulong)at);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[16..], (uint)length);
    }
}
