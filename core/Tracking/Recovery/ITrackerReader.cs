// A tracker file as recovery sees it: bytes at offsets, some of which cannot be read.
using System;

namespace FastBackup.Tracking.Recovery;

/// <summary>Threads: one.</summary>
public interface ITrackerReader
{
    ulong SizeBytes { get; }

    /// <param name="offsetBytes">The range ends within the file.</param>
    /// <param name="bytes">All of it is filled, or none of it counts.</param>
    /// <returns>False: the storage does not give these bytes.</returns>
    bool TryRead(ulong offsetBytes, Span<byte> bytes);
}
