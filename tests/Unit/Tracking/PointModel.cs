// Points under power cuts and kills: random changes of a tracker's points, each cut before and after every write and
// flush of the file. What is found then is the file as it was before the change or as it is after it, to the granule;
// with a rotten copy of one area on top of it, too, or more than that, never less.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;
using FastBackup.Tracking.Store;

namespace FastBackup.Tests.Unit.Tracking;

sealed class PointModel(ulong seed, PointMistake mistake) : ITrackerStorage
{
    readonly Prng _chance = new(seed);
    readonly ModelFile _file = PointScene.NewFile();
    readonly List<(byte[] Bytes, ulong At)> _held = [];
    string[] _allowed = [];
    int _count;
    bool _isNaming;

    public ulong CutCount { get; private set; }

    /// <summary>Fails by a <see cref="ModelException"/>.</summary>
    public void Run(int stepCount)
    {
        List<string> names = [];
        for (int i = 0; i < stepCount; i++)
        {
            if (_chance.Chance(2, 3))
                PointScene.Change(_file, Enumerable.Range(0, (int)_chance.Below(4)).Select(_ => _chance.Below(151)));
            if (names.Count > 0 && _chance.Chance(2, 5))
            {
                int index = (int)_chance.Below((ulong)names.Count);
                Change(Expect(names[index], isAdded: false, movesBase: false), names[index], false, false);
                names.RemoveAt(index);
                continue;
            }
            bool movesBase = _chance.Chance(1, 4);
            string name = movesBase && _chance.Chance(1, 2) ? "" : $"p{_count++}";
            Change(Expect(name, isAdded: true, movesBase), name, true, movesBase);
            if (name.Length > 0)
                names.Add(name);
        }
    }

    /// <summary>What the file says before and is to say after a change.</summary>
    string[] Expect(string name, bool isAdded, bool movesBase)
    {
        string before = PointScene.Describe(_file);
        List<string> words = [.. before.Split(' ')];
        if (!isAdded)
            _ = words.RemoveAll(word => word.StartsWith(name + ":", StringComparison.Ordinal));
        if (movesBase)
            _ = words.RemoveAll(word => word[0] == '*');
        if (movesBase)
            words.Add("*:");
        if (isAdded && name.Length > 0)
            words.Add(name + ":");
        return [before, string.Join(' ', words)];
    }

    void Change(string[] allowed, string name, bool isAdded, bool movesBase)
    {
        _allowed = allowed;
        _isNaming = false;
        using (RecoveredTracker found = PointScene.Recover(_file))
        {
            TrackerHeader header = found.Header!;
            if (mistake == PointMistake.MapIdReused)
                header = header with { LastMapId = LowestFree(found.Chain!) };
            using PointPlan plan = isAdded
                ? PointPlan.Add(header, found.Chain!, name, 1, movesBase, isAtRest: true)
                : PointPlan.Delete(header, found.Chain!, found.Chain!.Find(name));
            if (mistake == PointMistake.MergeDrops)
                foreach (int index in plan.NewMaps)
                    if (index < found.Chain!.Maps.Count && isAdded == false)
                        DropOne(plan.Maps[index]);
            Check.That(TrackerSteps.ChangePoints(this, found, plan, header.Stamp).IsNone);
        }
        Release();
        Try();
        string now = PointScene.Describe(_file);
        if (now != allowed[1])
            throw new ModelException($"is '{now}', should be '{allowed[1]}'");
    }

    static ulong LowestFree(MapChain chain) => chain.Points.Max(point => point.MapId);

    static void DropOne(HierarchicalBitmap map)
    {
        ulong bit = map.NextDirtyBit(0, map.BitCount);
        if (bit < map.BitCount)
            map.ClearBits(bit, 1);
    }

    public ulong SizeBytes => _file.SizeBytes;

    public bool TryRead(ulong offsetBytes, Span<byte> bytes) => _file.TryRead(offsetBytes, bytes);

    public Fault Grow(ulong sizeBytes) => _file.Grow(sizeBytes);

    public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        Try();
        bool isHeader = offsetBytes < HeaderBytes.AreasAt;
        _isNaming |= isHeader;
        if (mistake == PointMistake.PointBeforeMap && !isHeader)
            _held.Add((bytes.ToArray(), offsetBytes));
        else if (!IsLeftOut(offsetBytes, bytes))
            _file.Write(offsetBytes, bytes);
        Try();
        return Fault.None;
    }

    bool IsLeftOut(ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        if (offsetBytes < HeaderBytes.AreasAt)
            return mistake == PointMistake.OneCopyOfHeader && offsetBytes >= HeaderBytes.SecondCopyAt;
        if (mistake != PointMistake.MapIdReused)
            return false;
        // What is there of this map already "need not be written again".
        byte[] there = new byte[bytes.Length];
        _ = _file.TryRead(offsetBytes, there);
        return there.AsSpan(24, 16).SequenceEqual(bytes.Slice(24, 16)) && there[7] == bytes[7];
    }

    public Fault Flush()
    {
        Try();
        bool isOfMaps = !_isNaming;
        if (mistake != PointMistake.MapNotFlushed || !isOfMaps)
            _file.Flush();
        if (mistake == PointMistake.PointBeforeMap && _isNaming)
            Release();
        Try();
        return Fault.None;
    }

    /// <summary>Writes that were held back come after the header.</summary>
    void Release()
    {
        foreach ((byte[] bytes, ulong at) in _held)
        {
            Try();
            _file.Write(at, bytes);
        }
        _held.Clear();
        _file.Flush();
    }

    /// <summary>What would be found if all ended here.</summary>
    void Try()
    {
        CutCount += 2;
        Judge(PointScene.Describe(_file.SeeCut(_chance)), "power cut");
        Judge(PointScene.Describe(_file.SeeCut(_chance, tearsSectors: true)), "power cut that tears");
        Judge(PointScene.Describe(_file.SeeKill()), "kill");
    }

    void Judge(string found, string what)
    {
        if (!_allowed.Contains(found))
            throw new ModelException($"{what}: found '{found}', neither '{_allowed[0]}' nor '{_allowed[1]}'");
    }
}
