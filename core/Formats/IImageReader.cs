// The bytes of an image's file, for what opens or examines it: by calls that wait. A file, or memory in a test.
using System;
using FastBackup.Base;

namespace FastBackup.Formats;

/// <summary>Threads: one, that may wait.</summary>
public interface IImageReader
{
    /// <summary>Of the file.</summary>
    ulong SizeBytes { get; }

    /// <summary>Reads all of a range that lies in the file.</summary>
    /// <returns>None, or what the storage has answered.</returns>
    Fault Read(ulong offsetBytes, Span<byte> bytes);
}
