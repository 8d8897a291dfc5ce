// A tracker file for whoever may wait for it: before the first write of a guest, and after the last one.
using System;
using FastBackup.Base;
using FastBackup.Tracking.Recovery;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: one, that may wait.</summary>
public interface ITrackerStorage : ITrackerReader
{
    /// <param name="offsetBytes">The range ends within the file.</param>
    /// <param name="bytes">Written whole, or it is a fault.</param>
    Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes);

    /// <summary>Makes the file longer; what is new reads as zeroes.</summary>
    /// <returns>None, or why it cannot be: then it is as it was.</returns>
    Fault Grow(ulong sizeBytes);

    /// <summary>All that was written is durable.</summary>
    Fault Flush();
}
