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
    readonly List<ulong?> _asked = []; // since it was opened
    byte[] _first = [];

    /// <summary>The disk was opened, and holds this.</summary>
    public void Begin(ReadOnlySpan<byte> content)
    {
        _entries.Clear();
        _asked.Clear();
        _first = content.ToArray();
        _entries.Add(new Entry(null, false, 0));
    }

    public void Ask(ulong pattern, bool isWeak)
    {
        _entries.Add(new Entry(pattern, isWeak, ulong.MaxValue));
        _asked.Add(pattern);
    }

    public void End(ulong now) => _entries[^1] = _entries[^1] with { EndedAt = now };

    /// <summary>What has ended before is durable.</summary>
    public void MakeDurable(ulong before)
    {
        int last = _entries.FindLastIndex(entry => entry.EndedAt < before);
        while (last > 0 && (_entries[last].IsWeak || _entries[last].EndedAt == ulong.MaxValue))
            last--;
        if (last > 0)
            _entries.RemoveRange(0, last);
    }

    /// <summary>What a reader sees now.</summary>
    public bool IsNow(ReadOnlySpan<byte> sector)
    {
        for (int i = _entries.Count - 1; i >= 0; i--)
        {
            if (Has(_entries[i].Pattern, sector))
                return true;
            if (!_entries[i].IsWeak && _entries[i].EndedAt != ulong.MaxValue)
                return false;
        }
        return false;
    }

    /// <summary>What a read that begins now sees, unless more is written; and how much was asked for before.</summary>
    public (ulong?[] Patterns, int AskedCount) Now()
    {
        int last = _entries.FindLastIndex(entry => entry.EndedAt != ulong.MaxValue && !entry.IsWeak);
        ulong?[] patterns = new ulong?[_entries.Count - Math.Max(last, 0)];
        for (int i = 0; i < patterns.Length; i++)
            patterns[i] = _entries[Math.Max(last, 0) + i].Pattern;
        return (patterns, _asked.Count);
    }

    /// <summary>What a read may have seen that has begun then, beside writes.</summary>
    public bool WasOrIs((ulong?[] Patterns, int AskedCount) then, ReadOnlySpan<byte> sector)
    {
        foreach (ulong? pattern in then.Patterns)
            if (Has(pattern, sector))
                return true;
        for (int i = then.AskedCount; i < _asked.Count; i++)
            if (Has(_asked[i], sector))
                return true;
        return false;
    }

    /// <summary>What is there after a power cut.</summary>
    public bool MayBe(ReadOnlySpan<byte> sector)
    {
        foreach (Entry entry in _entries)
            if (Has(entry.Pattern, sector))
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

    bool Has(ulong? pattern, ReadOnlySpan<byte> sector) =>
        pattern == null ? IsFirst(sector) : MemoryMarshal.Cast<byte, ulong>(sector).IndexOfAnyExcept(pattern.Value) < 0;
}
