// The bytes of an image's file, for what changes them while nobody else does: by calls that wait. A file, or memory in
// a test.
using System;
using FastBackup.Base;

namespace FastBackup.Formats;

/// <summary>Threads: one, that may wait.</summary>
public interface IImageFile : IImageReader
{
    /// <summary>Behind its end the file becomes longer; what is between reads as zero.</summary>
    /// <returns>None, or what the storage has answered.</returns>
    Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes);

    /// <summary>All that was written is durable after it.</summary>
    /// <returns>None, or what the storage has answered.</returns>
    Fault Flush();
}
