// The first page of a file that is to become a tracker by an import: the word that its host gave to the exporting one.
// It lies where a tracker has the first copy of its header, which takes its place as the last step of the import: so
// no word is used twice.
//
//   offset  bytes
//        0  8      46 42 57 41 49 54 0D 0A, "FBWAIT"
//        8  4      CRC-32C of bytes 12..47
//       12  4      version, 1
//       16  32     the word: id, secret
using System;
using System.Buffers.Binary;

namespace FastBackup.Tracking.Format;

static class WaitingPage
{
    public const int LengthBytes = TrackerShape.PageBytes;

    const ulong Magic = 0x0A0D544941574246;
    const uint Version = 1;
    const int CrcAt = 8;
    const int VersionAt = 12;
    const int WordAt = 16;
    const int EndAt = WordAt + MoveWord.LengthBytes;

    public static bool IsOne(ReadOnlySpan<byte> bytes) =>
        bytes.Length >= EndAt && BinaryPrimitives.ReadUInt64LittleEndian(bytes) == Magic;

    public static void Write(MoveWord word, Span<byte> page)
    {
        page.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(page, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(page[VersionAt..], Version);
        word.Write(page[WordAt..]);
        BinaryPrimitives.WriteUInt32LittleEndian(page[CrcAt..], Crc32C.Of(page[VersionAt..EndAt]));
    }

    /// <returns>Null: it is none, has rotted, or is of another version.</returns>
    public static MoveWord? TryRead(ReadOnlySpan<byte> page) =>
        IsOne(page)
        && BinaryPrimitives.ReadUInt32LittleEndian(page[CrcAt..]) == Crc32C.Of(page[VersionAt..EndAt])
        && BinaryPrimitives.ReadUInt32LittleEndian(page[VersionAt..]) == Version
            ? MoveWord.Read(page[WordAt..])
            : null;
}
