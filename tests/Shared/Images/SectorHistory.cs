// What a sector of a disk may hold: what was last made durable, and what was written since. Requests for one sector are
// never under way at once, so that what was written has an order.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace FastBackup.Tests.Images;

sealed class SectorHistory
{
    public const int Bytes = 512;

    /// <param name="Pattern">In every eight bytes; null: what was there at first.</param>
    /// <param name="IsWeak">A discard: zeroes, or what was there before.</param>
    /// <param name="EndedAt">Its request; the highest: it has not.</param>
    record struct Entry(ulong? Pattern, bool IsWeak, ulong EndedAt);

    readonly List<Entry> _entries = [];
    byte[] _first = [];

    /// <summary>The disk was opened, and holds this.</summary>
    public void Begin(ReadOnlySpan<byte> content)
    {
        _entries.Clear();
        _first = content.ToArray();
        _entries.Add(new Entry(null, false, 0));
    }

    public void Ask(ulong pattern, bool isWeak) => _entries.Add(new Entry(pattern, isWeak, ulong.MaxValue));

    public void End(ulong now) => _entries[^1] = _entries[^1] with { EndedAt = now };

    /// <summary>What has ended before is durable.</summary>
    public void MakeDurable(ulong before)
    {
        int last = _entries.FindLastIndex(entry => entry.EndedAt < before);
        while (last > 0 && _entries[last].IsWeak)
            last--;
        if (last > 0)
            _entries.RemoveRange(0, last);
    }

    /// <summary>What a reader sees now.</summary>
    public bool IsNow(ReadOnlySpan<byte> sector)
    {
        for (int i = _entries.Count - 1; i >= 0; i--)
        {
            if (Has(_entries[i], sector))
                return true;
            if (!_entries[i].IsWeak && _entries[i].EndedAt != ulong.MaxValue)
                return false;
        }
        return false;
    }

    /// <summary>What is there after a power cut.</summary>
    public bool MayBe(ReadOnlySpan<byte> sector)
    {
        foreach (Entry entry in _entries)
            if (Has(entry, sector))
                return true;
        return false;
    }

    public bool IsFirst(ReadOnlySpan<byte> sector) => sector.SequenceEqual(_first);

    /// <summary>For people: what it is, and what it may be.</summary>
    public string Tell(ReadOnlySpan<byte> sector)
    {
        ulong word = MemoryMarshal.Read<ulong>(sector);
        return $"{word:x} first {IsFirst(sector)} not of {string.Join(", ", _entries)}";
    }

    bool Has(Entry entry, ReadOnlySpan<byte> sector)
    {
        if (entry.Pattern is not { } pattern)
            return IsFirst(sector);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(sector);
        return words.IndexOfAnyExcept(pattern) < 0;
    }
}
