// The file of an image in memory, for what reads it by calls.
using System;
using FastBackup.Base;
using FastBackup.Formats;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

sealed class FileImage(byte[] file) : IImageReader
{
    public ulong SizeBytes => (ulong)file.Length;

    public Fault Read(ulong offsetBytes, Span<byte> bytes)
    {
        Assert.True(new Extent(offsetBytes, (ulong)bytes.Length).IsWithin(SizeBytes), "read outside the file");
        file.AsSpan((int)offsetBytes, bytes.Length).CopyTo(bytes);
        return Fault.None;
    }
}
