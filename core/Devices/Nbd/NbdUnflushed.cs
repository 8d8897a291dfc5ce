// What a server has answered and no flush has made durable yet. A server that ends and comes back may have forgotten it
// (its machine has lost power, its disk was memory), and would then take a flush as if nothing were missing. So before
// anything else is asked, all of this is looked at: data is read again and its checksum compared, zeroes are written
// again. It is the disk that flushes itself when there are more than CountMax entries.
//
//   newest to oldest    what a newer write has replaced is not looked at; what one has replaced in part cannot be:
//                       that is told as a loss. Who copies a disk writes each place once
//   checksum            four CRC-32C over every fourth word: instructions that do not wait for each other
//
// Cost: 40 KiB a device, and a read of each byte that is written, some 30 GB/s; nothing is allocated.
using System;
using System.Numerics;
using System.Runtime.InteropServices;
using FastBackup.Base;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the device's.</summary>
sealed class NbdUnflushed
{
    public const uint CountMax = 1024;

    /// <summary>Of data in one entry.</summary>
    public const ulong DataBytesMax = Units.MiB;

    /// <param name="Operation">Write; WriteZeroes; Discard, after which anything may be there.</param>
    /// <param name="Range">Where.</param>
    /// <param name="Sum">Of data.</param>
    /// <param name="Flags">Of zeroes.</param>
    public readonly record struct Entry(BlockOperation Operation, Extent Range, UInt128 Sum, BlockFlags Flags);

    readonly Entry[] _entries = new Entry[CountMax];
    ulong _start;
    ulong _next; // to be looked at, counted down from End

    /// <summary>Behind the last; entries before it stay the same while there are more.</summary>
    public ulong End { get; private set; }

    public bool IsEmpty => _start == End;

    /// <summary>Whether a write of this length can be kept in mind.</summary>
    public bool HasRoom(ulong lengthBytes) => End - _start + Units.DivCeil(lengthBytes, DataBytesMax) <= CountMax;

    /// <summary>Data that was answered; there is room.</summary>
    public void Add(ulong offsetBytes, ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            ReadOnlySpan<byte> part = data[..(int)Math.Min((ulong)data.Length, DataBytesMax)];
            Extent range = new(offsetBytes, (ulong)part.Length);
            Put(new Entry(BlockOperation.Write, range, SumOf(part), BlockFlags.None));
            offsetBytes += (ulong)part.Length;
            data = data[part.Length..];
        }
    }

    /// <summary>Zeroes or a discard; there is room for one.</summary>
    public void Add(BlockOperation operation, in Extent range, BlockFlags flags) =>
        Put(new Entry(operation, range, default, flags & BlockFlags.MayUnmap));

    /// <summary>A flush has succeeded that began when End was this.</summary>
    public void Drop(ulong end) => _start = Math.Max(_start, end);

    public void BeginLook() => _next = End;

    /// <summary>The next to be looked at.</summary>
    /// <param name="newer">Writes that are asked for again afterwards.</param>
    /// <param name="entry">None left: default.</param>
    /// <returns>False: one was replaced in part, so nothing can be said of it.</returns>
    public bool TryLook(ReadOnlySpan<Extent> newer, out Entry entry)
    {
        while (_next > _start)
        {
            ulong index = --_next;
            entry = At(index);
            bool isReplaced = entry.Operation == BlockOperation.Discard;
            foreach (Extent one in newer)
                if (!isReplaced && one.Overlaps(entry.Range) && !(isReplaced = Covers(one, entry.Range)))
                    return false;
            for (ulong later = End - 1; later > index && !isReplaced; later--)
                if (At(later).Range.Overlaps(entry.Range) && !(isReplaced = Covers(At(later).Range, entry.Range)))
                    return false;
            if (!isReplaced)
                return true;
        }
        entry = default;
        return true;
    }

    public static UInt128 SumOf(ReadOnlySpan<byte> data)
    {
        (uint a, uint b, uint c, uint d) = (uint.MaxValue, 1, 2, 3);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(data);
        ReadOnlySpan<byte> rest = data[(words.Length * sizeof(ulong))..];
        for (; words.Length >= 4; words = words[4..])
        {
            a = BitOperations.Crc32C(a, words[0]);
            b = BitOperations.Crc32C(b, words[1]);
            c = BitOperations.Crc32C(c, words[2]);
            d = BitOperations.Crc32C(d, words[3]);
        }
        foreach (ulong word in words)
            a = BitOperations.Crc32C(a, word);
        foreach (byte one in rest)
            b = BitOperations.Crc32C(b, one);
        return new UInt128((ulong)a << 32 | b, (ulong)c << 32 | d);
    }

    void Put(in Entry entry)
    {
        Check.That(End - _start < CountMax);
        _entries[End++ % CountMax] = entry;
    }

    ref readonly Entry At(ulong index) => ref _entries[index % CountMax];

    static bool Covers(in Extent one, in Extent other) =>
        one.OffsetBytes <= other.OffsetBytes && other.EndBytes <= one.EndBytes;
}
