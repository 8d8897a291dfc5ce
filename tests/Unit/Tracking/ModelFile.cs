// A tracker file on storage that may lose power: what was written is in the cache, survives the end of a process, and
// is durable after a flush. At a power cut each sector is any of the states that it had since the last flush.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Tracking.Storage;

namespace FastBackup.Tests.Unit.Tracking;

sealed class ModelFile(byte[] durable) : ITrackerStorage
{
    const int SectorBytes = 512;

    byte[] _durable = durable;
    byte[] _cached = (byte[])durable.Clone();
    readonly Dictionary<int, List<byte[]>> _states = [];
    readonly HashSet<int> _dropped = []; // sectors that are in the cache, clean, and not on the disk

    public ulong SizeBytes => (ulong)_cached.Length;

    public byte[] Cached => _cached;

    public bool TryRead(ulong offsetBytes, Span<byte> bytes)
    {
        _cached.AsSpan((int)offsetBytes, bytes.Length).CopyTo(bytes);
        return true;
    }

    public void Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        for (int at = 0; at < bytes.Length; at += SectorBytes)
        {
            int place = (int)offsetBytes + at;
            ReadOnlySpan<byte> sector = bytes.Slice(at, SectorBytes);
            if (!_dropped.Remove(place) && sector.SequenceEqual(_cached.AsSpan(place, SectorBytes)))
                continue;
            if (!_states.TryGetValue(place, out List<byte[]>? states))
                _states[place] = states = [];
            states.Add(sector.ToArray());
            sector.CopyTo(_cached.AsSpan(place));
        }
    }

    public void Flush()
    {
        for (int place = 0; place < _cached.Length; place += SectorBytes)
            if (!_dropped.Contains(place))
                _cached.AsSpan(place, SectorBytes).CopyTo(_durable.AsSpan(place));
        _states.Clear();
    }

    /// <summary>A flush that fails: of each sector the disk has any of its states, and the kernel takes it for clean.
    /// No later flush brings it there. Source: fsync(2), "Can user space recover from fsync errors", PostgreSQL.
    /// </summary>
    /// <param name="chance">Chooses a state for each sector.</param>
    public void FailFlush(Prng chance)
    {
        foreach ((int place, byte[] sector) in Choose(chance, tearsSectors: false))
            sector.CopyTo(_durable.AsSpan(place));
        foreach (int place in _states.Keys)
            if (!_cached.AsSpan(place, SectorBytes).SequenceEqual(_durable.AsSpan(place, SectorBytes)))
                _ = _dropped.Add(place);
        _states.Clear();
    }

    /// <summary>Whether the new length outlives a power cut does not matter: what counts lies before it.</summary>
    public Fault Grow(ulong sizeBytes)
    {
        Array.Resize(ref _durable, (int)sizeBytes);
        Array.Resize(ref _cached, (int)sizeBytes);
        return Fault.None;
    }

    Fault ITrackerStorage.Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
    {
        Write(offsetBytes, bytes);
        return Fault.None;
    }

    Fault ITrackerStorage.Flush()
    {
        Flush();
        return Fault.None;
    }

    /// <summary>What is there when power is back.</summary>
    /// <param name="chance">Chooses a state for each sector.</param>
    /// <param name="tearsSectors">Some are none of them: the disk was in the middle of one.</param>
    public ModelFile Cut(Prng chance, bool tearsSectors = false)
    {
        byte[] left = (byte[])_durable.Clone();
        foreach ((int place, byte[] sector) in Choose(chance, tearsSectors))
            sector.CopyTo(left.AsSpan(place));
        return new ModelFile(left);
    }

    /// <summary>As Cut, for one look.</summary>
    public ModelGlimpse SeeCut(Prng chance, bool tearsSectors = false) => new(_durable, Choose(chance, tearsSectors));

    /// <summary>As Kill, for one look.</summary>
    public ModelGlimpse SeeKill() => new(_cached, []);

    Dictionary<int, byte[]> Choose(Prng chance, bool tearsSectors)
    {
        Dictionary<int, byte[]> chosen = [];
        foreach ((int place, List<byte[]> states) in _states)
        {
            int choice = (int)chance.Below((ulong)states.Count + 1);
            bool isTorn = tearsSectors && chance.Chance(1, 8);
            if (choice == 0 && !isTorn)
                continue;
            byte[] sector = chosen[place] = isTorn ? new byte[SectorBytes] : (byte[])states[choice - 1].Clone();
            if (isTorn)
                chance.Fill(sector);
        }
        return chosen;
    }

    /// <summary>What a process finds that comes after the one that was killed.</summary>
    public ModelFile Kill() => new((byte[])_cached.Clone());
}
