// Random disks, groups, writes and changes, and what must hold: each disk makes its changes in the order of their
// asking; none is made while a write of its disks is under way; once all writes have ended all are made, and then no
// gate is closed. Some are withdrawn, some ask for others while they are made.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Filter;

namespace FastBackup.Tests.Unit.Filter;

sealed class ChangeOrderModel
{
    sealed class One(int number, int[] disks)
    {
        public int Number => number;
        public int[] Disks => disks;
        public QuiescedChange Change = null!;
        public bool IsMade;
        public bool IsWithdrawn;
    }

    readonly Prng _prng;
    readonly FilterBench _bench = new();
    readonly Disk[] _disks;
    readonly int[] _underWay;
    readonly List<GuestProbe>[] _waiting;
    readonly List<One> _asked = [];
    readonly List<One> _made = [];
    string? _wrong;

    public ChangeOrderModel(Prng prng)
    {
        _prng = prng;
        _disks = new Disk[2 + (int)prng.Below(4)];
        for (int i = 0; i < _disks.Length; i++)
            _disks[i] = _bench.NewDisk("disk" + i, out _, slotCount: 64);
        _underWay = new int[_disks.Length];
        _waiting = new List<GuestProbe>[_disks.Length];
        for (int i = 0; i < _disks.Length; i++)
            _waiting[i] = [];
    }

    /// <returns>Null, or what did not hold.</returns>
    public string? Run()
    {
        for (int step = 0; step < 300 && _wrong == null; step++)
        {
            int disk = (int)_prng.Below((ulong)_disks.Length);
            switch (_prng.Below(8))
            {
                case < 3:
                    Ask();
                    break;
                case 3:
                    if (_waiting[disk].Count < 32)
                        _waiting[disk].Add(new GuestProbe(_disks[disk], 0, 512));
                    break;
                case < 6:
                    EndOne(disk);
                    break;
                case 6 when _asked.Count > 0 && _prng.Chance(1, 2):
                    Withdraw(_asked[(int)_prng.Below((ulong)_asked.Count)]);
                    break;
                default:
                    _bench.Loop.RunFor(_prng.Below(10) == 0 ? Units.NsPerSecond : 100_000);
                    break;
            }
            CountGranted();
        }
        Finish();
        return _wrong;
    }

    void Ask()
    {
        List<int> group = [];
        for (int i = 0; i < _disks.Length; i++)
            if (_prng.Chance(1, 2))
                group.Add(i);
        if (group.Count == 0)
            group.Add((int)_prng.Below((ulong)_disks.Length));
        One one = new(_asked.Count, [.. group]);
        Disk[] disks = Array.ConvertAll(one.Disks, index => _disks[index]);
        one.Change = new QuiescedChange(_bench.Loop.Reactor, disks, () => Make(one));
        _asked.Add(one);
        one.Change.Begin();
    }

    void Make(One one)
    {
        foreach (int disk in one.Disks)
        {
            if (_disks[disk].WritesInFlight != 0)
                _wrong ??= $"change {one.Number} is made while disk {disk} has writes under way";
            foreach (One other in _asked)
                if (other.Number < one.Number && Array.IndexOf(other.Disks, disk) >= 0 && IsStillToCome(other))
                    _wrong ??= $"change {one.Number} is made before {other.Number} of disk {disk}";
        }
        if (!IsStillToCome(one))
            _wrong ??= $"change {one.Number} is made twice, or was withdrawn";
        one.IsMade = true;
        _made.Add(one);
        if (_asked.Count < 400 && _prng.Chance(1, 8))
            Ask();
    }

    static bool IsStillToCome(One one) => !one.IsMade && !one.IsWithdrawn;

    static void Withdraw(One one)
    {
        one.IsWithdrawn |= one.Change.IsPending;
        one.Change.Withdraw();
    }

    void CountGranted()
    {
        for (int disk = 0; disk < _disks.Length; disk++)
        for (int i = _waiting[disk].Count - 1; i >= 0; i--)
            if (_waiting[disk][i].IsGranted)
            {
                _waiting[disk].RemoveAt(i);
                _underWay[disk]++;
            }
    }

    void EndOne(int disk)
    {
        if (_underWay[disk] == 0)
            return;
        _underWay[disk]--;
        _disks[disk].EndWrite();
    }

    void Finish()
    {
        for (int turn = 0; turn < 1000 && _wrong == null; turn++)
        {
            CountGranted();
            for (int disk = 0; disk < _disks.Length; disk++)
                while (_underWay[disk] > 0)
                    EndOne(disk);
            _bench.Loop.RunFor(Units.NsPerMs);
        }
        foreach (One one in _asked)
            if (IsStillToCome(one))
                _wrong ??= $"change {one.Number} of {_asked.Count} is never made";
        for (int disk = 0; disk < _disks.Length; disk++)
            if (_disks[disk].IsGateClosed || _waiting[disk].Count > 0)
                _wrong ??= $"disk {disk} stays closed, or a guest waits for ever";
    }
}
