// Fills a Map's entries from its beginning on, run after run, until they are full.
using System;

namespace FastBackup.Ports.Windows;

/// <summary>Threads: one.</summary>
ref struct MapFill(Span<MapEntry> entries, ulong offsetBytes)
{
    readonly Span<MapEntry> _entries = entries;

    public int Count { get; private set; }

    /// <summary>Where the next run begins.</summary>
    public ulong EndBytes { get; private set; } = offsetBytes;

    public readonly bool IsFull => Count == _entries.Length;

    /// <summary>A run from where the last one ended; none when it would be empty, or there is no room.</summary>
    public void AddUpTo(ulong endBytes, ExtentKind kind)
    {
        if (IsFull || endBytes <= EndBytes)
            return;
        _entries[Count++] = new MapEntry
        {
            OffsetBytes = EndBytes,
            LengthBytes = endBytes - EndBytes,
            Kind = kind,
        };
        EndBytes = endBytes;
    }
}
