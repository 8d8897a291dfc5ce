// The bytes of an image's file, for what reads them by calls: of a model, which has made them itself.
using System;
using FastBackup.Base;
using FastBackup.Formats;

namespace FastBackup.Tests.Images;

sealed class ImageBytes(ReadOnlyMemory<byte> file) : IImageReader
{
    public ulong SizeBytes => (ulong)file.Length;

    public Fault Read(ulong offsetBytes, Span<byte> bytes)
    {
        file.Span.Slice((int)offsetBytes, bytes.Length).CopyTo(bytes);
        return Fault.None;
    }
}
