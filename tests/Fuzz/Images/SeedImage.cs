// An image as a right program makes it, and the places in it where a number means something: fields of the header and
// its extensions, entries of every table, counts, bitmaps. Found by reading it as the format's page has it.
// Source: QEMU docs/interop/qcow2.rst.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;

namespace FastBackup.Tests.Fuzz.Images;

sealed class SeedImage
{
    const ulong OffsetMask = 0x00ff_ffff_ffff_fe00;
    const ulong Compressed = 1UL << 62;
    const int EntriesOfTable = 96; // that are looked at: the first

    static readonly (int Offset, int Width)[] s_header =
    [
        .. ((int, int)[])[(4, 4), (8, 8), (16, 4), (20, 4), (24, 8), (32, 4), (36, 4), (40, 8), (48, 8), (56, 4)],
        .. ((int, int)[])[(60, 4), (64, 8), (72, 8), (80, 8), (88, 8), (96, 4), (100, 4), (104, 1)],
    ];

    readonly List<(int Offset, int Width)[]> _groups = [];
    readonly List<ulong> _places = [0];

    /// <param name="file">All of it.</param>
    public SeedImage(byte[] file)
    {
        File = file;
        ClusterBytes = 1 << (int)Four(20);
        _groups.Add([.. s_header]);
        AddRun(104, 4, 24);
        AddTable((int)Eight(40), (int)Four(36), isTop: true);
        AddCounts();
        AddSnapshots();
        AddBitmaps();
        _places.Add((ulong)file.Length);
    }

    public byte[] File { get; }

    public int ClusterBytes { get; }

    /// <summary>Fields that belong together; which group is as likely as any other.</summary>
    public IReadOnlyList<(int Offset, int Width)[]> Groups => _groups;

    /// <summary>Where something lies.</summary>
    public IReadOnlyList<ulong> Places => _places;

    bool IsOfVersion3 => Four(4) >= 3;

    uint Four(int at) => BinaryPrimitives.ReadUInt32BigEndian(File.AsSpan(at));

    ulong Eight(int at) => BinaryPrimitives.ReadUInt64BigEndian(File.AsSpan(at));

    void AddRun(int offset, int width, int count)
    {
        List<(int, int)> fields = [];
        for (int i = 0; i < count && offset + (i + 1) * width <= File.Length; i++)
            fields.Add((offset + i * width, width));
        if (fields.Count > 0)
            _groups.Add([.. fields]);
    }

    void AddTable(int offset, int count, bool isTop)
    {
        _places.Add((ulong)offset);
        List<(int, int)> used = [];
        for (int i = 0; i < count && offset + 8 * i + 8 <= File.Length; i++)
        {
            int at = offset + 8 * i;
            ulong entry = Eight(at);
            if (entry == 0 && i >= 4)
                continue;
            used.Add((at, 8));
            int place = (int)(entry & OffsetMask);
            if (isTop && place > 0)
                AddTable(place, ClusterBytes / 8, isTop: false);
            else if ((entry & Compressed) != 0)
                AddRun((int)(entry & 0xff_ffff), 1, 24);
            else if (!isTop && place > 0 && place < File.Length)
                _places.Add((ulong)place);
            if (used.Count == EntriesOfTable)
                break;
        }
        if (used.Count > 0)
            _groups.Add([.. used]);
    }

    void AddCounts()
    {
        int table = (int)Eight(48);
        int block = (int)Eight(table);
        int bits = IsOfVersion3 ? 1 << (int)Four(96) : 16;
        _places.AddRange([(ulong)table, (ulong)block]);
        AddRun(table, 8, 6);
        AddRun(block, Math.Max(1, bits / 8), Math.Max(1, File.Length / ClusterBytes * bits / Math.Max(8, bits)));
    }

    void AddSnapshots()
    {
        if (Four(60) == 0)
            return;
        int at = (int)Eight(64);
        _places.Add((ulong)at);
        AddRun(at, 4, 16);
        AddTable((int)Eight(at), (int)Four(at + 8), isTop: true);
    }

    void AddBitmaps()
    {
        int extension = File.AsSpan(0, Math.Min(File.Length, 1024))
            .IndexOf((ReadOnlySpan<byte>)[0x23, 0x85, 0x28, 0x75, 0, 0, 0, 24]);
        if (extension < 0)
            return;
        AddRun(extension, 4, 8);
        int at = (int)Eight(extension + 24);
        int end = at + (int)Eight(extension + 16);
        _places.Add((ulong)at);
        for (
            ;
            at < end;
            at += (24 + (int)Four(at + 20) + BinaryPrimitives.ReadUInt16BigEndian(File.AsSpan(at + 18)) + 7) & ~7
        )
        {
            AddRun(at, 4, 8);
            AddRun(at + 16, 1, 16);
            AddTable((int)Eight(at), (int)Four(at + 8), isTop: false);
        }
    }
}
