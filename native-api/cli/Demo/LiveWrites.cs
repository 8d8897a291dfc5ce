// What the demo's guests have written, in order: enough to say later what the disk held at one instant.
// Writes that overlap are ordered by the guests themselves, as an operating system orders them: the second one
// begins when the first has ended. So the order of ends is the order of the bytes.
using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Cli;

/// <summary>Threads: any; the reactor notes the ends.</summary>
sealed class LiveWrites
{
    public const int WriteBytesMax = 20_000;

    readonly record struct Write(Extent Extent, ulong Seed);

    readonly object _gate = new();
    readonly List<Extent> _inFlight = [];
    readonly List<Write> _ended = [];

    /// <summary>Writes that have ended.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _ended.Count;
        }
    }

    /// <summary>False while a write that shares bytes with this one is under way.</summary>
    public bool TryBegin(in Extent extent)
    {
        lock (_gate)
        {
            foreach (Extent other in _inFlight)
                if (other.Overlaps(extent))
                    return false;
            _inFlight.Add(extent);
            return true;
        }
    }

    public void End(in Extent extent, ulong seed)
    {
        lock (_gate)
        {
            _inFlight.Remove(extent);
            _ended.Add(new Write(extent, seed));
        }
    }

    /// <summary>The bytes of one write.</summary>
    public static void Fill(Span<byte> bytes, ulong seed) => new Prng(seed).Fill(bytes);

    /// <summary>Hands out the first writes again, in order.</summary>
    /// <param name="count">At most <see cref="Count"/>.</param>
    /// <param name="write">Takes the offset and the bytes.</param>
    public void Replay(int count, Action<ulong, ReadOnlyMemory<byte>> write)
    {
        byte[] bytes = new byte[WriteBytesMax];
        for (int i = 0; i < count; i++)
        {
            Write one = _ended[i];
            Memory<byte> content = bytes.AsMemory(0, (int)one.Extent.LengthBytes);
            Fill(content.Span, one.Seed);
            write(one.Extent.OffsetBytes, content);
        }
    }
}
