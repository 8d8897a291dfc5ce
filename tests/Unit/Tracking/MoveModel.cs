// Trackers that move between three hosts with what can go wrong: a host that dies at any step of an export or import,
// tokens that come twice, late, changed, or to another host, disks that are copied too early or written to by others,
// files of waiting trackers that are put back. Whatever happens: of all trackers one at most may go on, it names all
// that has changed since each of its points, and no token counts while its giver may go on. Where somebody puts a file
// that waited back, and its disk as it was, there may be two: nobody can know; but each names all that has changed.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Move;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Storage;

namespace FastBackup.Tests.Unit.Tracking;

sealed class MoveModel
{
    const ulong GranuleCount = 151;

    readonly Prng _chance;
    readonly MoveMistake _mistake;
    readonly bool _isShared;
    readonly bool _putsBack; // in this run
    readonly MoveHost[] _hosts;
    readonly List<(byte[] Bytes, MoveWord Word)> _tokens = [];
    readonly List<(MoveHost Host, ModelFile File)> _waiting = [];
    readonly Dictionary<string, ulong[]> _points = [];
    ulong _version = 100;
    int _stepsLeft;

    public MoveModel(ulong seed, MoveMistake mistake)
    {
        (_chance, _mistake) = (new Prng(seed), mistake);
        _isShared = _chance.Chance(1, 2);
        _putsBack = _chance.Chance(1, 3);
        MoveDisk disk = new(1, new ulong[GranuleCount]);
        TrackerHeader header = PointScene.Header() with { DiskId = disk.Id, Stamp = disk.Stamp };
        _hosts =
        [
            new MoveHost(disk, new ModelFile(TrackerScene.NewFile(header))),
            new MoveHost(_isShared ? disk : NewDisk(disk), new ModelFile(new byte[HeaderBytes.AreasAt])),
            new MoveHost(_isShared ? disk : NewDisk(disk), new ModelFile(new byte[HeaderBytes.AreasAt])),
        ];
        _points[""] = (ulong[])disk.Content.Clone();
    }

    public ulong TrialCount { get; private set; }

    public ulong MoveCount { get; private set; }

    /// <summary>Fails by a <see cref="ModelException"/>.</summary>
    public void Run(int stepCount)
    {
        int idleCount = 0; // with no tracker of use: a token may come still
        for (int i = 0; i < stepCount && idleCount < 12; i++)
        {
            Act(_hosts[(int)_chance.Below(3)], _hosts[(int)_chance.Below(3)]);
            idleCount = JudgeAll() ? 0 : idleCount + 1;
        }
    }

    void Act(MoveHost host, MoveHost other)
    {
        switch (_chance.Below(10))
        {
            case 0 when _chance.Chance(1, 4):
                host.Disk.Write(_chance.Below(GranuleCount), ++_version); // by somebody else
                break;
            case 0 or 1:
                Write(host);
                break;
            case 2:
                AddPoint(host);
                break;
            case 3 or 4 or 5:
                Export(host, other);
                break;
            case 6 or 7:
                Import(Waiting() ?? other);
                break;
            case 8 when !_isShared && !ReferenceEquals(host, other):
                other.Disk = NewDisk(host.Disk);
                break;
            case 9 when _putsBack:
                PutBack(host);
                break;
            default:
                break;
        }
    }

    MoveDisk NewDisk(MoveDisk from) => new(++_version, (ulong[])from.Content.Clone());

    void Write(MoveHost host)
    {
        using RecoveredTracker found = host.Recover();
        if (found.Refusal == TrackerRefusal.None)
            host.Write(found, Enumerable.Range(0, 3).Select(_ => _chance.Below(GranuleCount)), ref _version);
    }

    void AddPoint(MoveHost host)
    {
        using RecoveredTracker found = host.Recover();
        if (found.Refusal != TrackerRefusal.None || _points.Count > 5)
            return;
        string name = $"p{_points.Count}";
        host.Add(found, name);
        _points[name] = (ulong[])host.Disk.Content.Clone();
    }

    /// <summary>Its file is as it was when it waited.</summary>
    void PutBack(MoveHost host)
    {
        List<ModelFile> files = [.. _waiting.Where(one => one.Host == host).Select(one => one.File)];
        using RecoveredTracker found = host.Recover();
        if (files.Count > 0 && found.Refusal != TrackerRefusal.None)
            host.File = files[(int)_chance.Below((ulong)files.Count)].Kill();
    }

    void Export(MoveHost giver, MoveHost taker)
    {
        if (ReferenceEquals(giver, taker) || Expect(taker) is not { } word)
            return;
        using RecoveredTracker found = giver.Recover();
        if (found.Refusal != TrackerRefusal.None)
            return;
        if (!_isShared && _chance.Chance(3, 4))
            taker.Disk = NewDisk(giver.Disk);
        TokenHead head = new()
        {
            IsShared = _isShared,
            TakerId = word.TrackerId,
            GiverId = found.Header!.TrackerId,
            Generation = found.Header.Sequence,
            PageCount = 0,
            DiskId = giver.Disk.Id,
            Shape = found.Header.Shape,
            TablePageCount = 0,
            LastMapId = found.Header.LastMapId,
            Stamp = giver.Disk.Stamp,
            Whole = _isShared ? default : giver.Disk.Whole,
        };
        ModelFile token = new([]);
        Attempt(
            () => Give(giver, found, head, word, token),
            isCut =>
            {
                giver.File = isCut ? giver.File.Cut(_chance) : giver.File.Kill();
                token = isCut ? token.Cut(_chance) : token.Kill();
            }
        );
        _tokens.Add((token.Cached, word));
    }

    /// <summary>A file that waits, in the place of one that is of no use; null: there is one of use.</summary>
    MoveWord? Expect(MoveHost host)
    {
        if (TrackerMove.TryGetWord(host.File) is { } word)
            return word;
        using RecoveredTracker found = host.Recover();
        if (found.Refusal == TrackerRefusal.None)
            return null;
        word = new MoveWord(new UInt128(_chance.NextULong(), _chance.NextULong()), _chance.NextULong());
        host.File = new ModelFile(new byte[HeaderBytes.AreasAt]);
        Check.That(TrackerMove.Await(host.File, word).IsNone);
        _waiting.Add((host, host.File.Kill()));
        return word;
    }

    void Give(MoveHost giver, RecoveredTracker found, TokenHead head, MoveWord word, ModelFile token)
    {
        ITrackerStorage file = new Steps(this, giver.File, () => TryExport(giver, token, word)) { Drops = Drops };
        ITrackerStorage tokenSteps = new Steps(this, token, () => TryExport(giver, token, word));
        if (_mistake != MoveMistake.SignedTooEarly)
        {
            Check.That(TrackerMove.Give(file, found, head, word, tokenSteps, () => Fault.None).IsNone);
            return;
        }
        Check.That(MoveToken.Write(tokenSteps, head, found.Chain!, word, out byte[] signature).IsNone);
        Check.That(MoveToken.Sign(tokenSteps, signature).IsNone);
        Check.That(TrackerSteps.Retire(file, found, head.Stamp).IsNone);
    }

    bool Drops(bool isFlush) =>
        isFlush ? _mistake is MoveMistake.NotFlushed or MoveMistake.NotRetired : _mistake == MoveMistake.NotRetired;

    /// <summary>A host for which there is a token, mostly.</summary>
    MoveHost? Waiting() =>
        _chance.Chance(3, 4)
            ? Array.Find(
                _hosts,
                host => TrackerMove.TryGetWord(host.File) is { } word && _tokens.Exists(one => one.Word == word)
            )
            : null;

    void Import(MoveHost taker)
    {
        if (_tokens.Count == 0 || TrackerMove.TryGetWord(taker.File) is not { } word)
            return;
        List<byte[]> fitting = [.. _tokens.Where(one => one.Word == word).Select(one => one.Bytes)];
        byte[] bytes =
            fitting.Count > 0 && _chance.Chance(4, 5)
                ? fitting[^1]
                : _tokens[(int)_chance.Below((ulong)_tokens.Count)].Bytes;
        bool isChanged = _chance.Chance(1, 5) && bytes.Length > 0;
        bytes = (byte[])bytes.Clone();
        if (isChanged && _chance.Chance(1, 4))
            bytes = bytes[..^TrackerShape.PageBytes];
        else if (isChanged)
            Flip(bytes);
        using MoveToken? token = MoveToken.TryRead(new ModelFile(bytes), word, PointScene.Shape.DiskBytes);
        if (token == null)
            return;
        if (isChanged)
            throw new ModelException("a token that was changed is taken");
        if (!IsAsLeft(token.Head, taker.Disk))
            return;
        Attempt(
            () => Take(taker, token),
            isCut => taker.File = isCut ? taker.File.Cut(_chance, tearsSectors: true) : taker.File.Kill()
        );
        MoveCount++;
    }

    /// <summary>One bit of what is signed or of the signature.</summary>
    void Flip(byte[] bytes)
    {
        ulong at = _chance.Below((ulong)bytes.Length - TrackerShape.PageBytes + 32);
        bytes[at] ^= (byte)(1 << (int)_chance.Below(8));
    }

    bool IsAsLeft(TokenHead head, MoveDisk disk) =>
        _mistake == MoveMistake.DiskNotLookedAt
        || (
            head.IsOf(disk.Id)
            && (
                _mistake == MoveMistake.PlacesOnly
                    ? disk.Stamp.Places == head.Stamp.Places
                    : head.MayBeAsLeft(disk.Stamp)
            )
            && (head.IsShared || _mistake == MoveMistake.PlacesOnly || head.IsWhole(disk.Whole))
        );

    void Take(MoveHost taker, MoveToken token)
    {
        Steps steps = new(this, taker.File, () => TryImport(taker))
        {
            HoldsAreas = _mistake == MoveMistake.HeaderBeforeMaps,
        };
        Check.That(TrackerMove.Take(steps, token, taker.Disk.Id, taker.Disk.Stamp).IsNone);
        steps.Release();
    }

    /// <summary>Ends at any step, or not.</summary>
    void Attempt(Action act, Action<bool> onDeath)
    {
        _stepsLeft = _chance.Chance(1, 3) ? (int)_chance.Below(40) : int.MaxValue;
        try
        {
            act();
        }
        catch (DeathException)
        {
            onDeath(_chance.Chance(1, 2));
        }
    }

    /// <summary>What would be found if all ended here.</summary>
    void TryExport(MoveHost giver, ModelFile token, MoveWord word)
    {
        TrialCount += 2;
        foreach (bool isCut in (bool[])[true, false])
        {
            using RecoveredTracker left = giver.Recover(isCut ? giver.File.SeeCut(_chance) : giver.File.SeeKill());
            using MoveToken? signed = MoveToken.TryRead(
                isCut ? token.SeeCut(_chance) : token.SeeKill(),
                word,
                PointScene.Shape.DiskBytes
            );
            if (left.Refusal == TrackerRefusal.None && signed != null)
                throw new ModelException("a token counts whose giver may go on");
            if (left.Refusal == TrackerRefusal.None)
                giver.Judge(left, _points, !_putsBack);
            else if (left.Refusal != TrackerRefusal.Moved)
                throw new ModelException($"the giver's tracker is {left.Refusal}");
        }
    }

    void TryImport(MoveHost taker)
    {
        TrialCount += 2;
        foreach (bool isCut in (bool[])[true, false])
        {
            ModelGlimpse file = isCut ? taker.File.SeeCut(_chance, tearsSectors: true) : taker.File.SeeKill();
            using RecoveredTracker left = taker.Recover(file);
            if (left.Refusal == TrackerRefusal.None)
                taker.Judge(left, _points, !_putsBack);
            else if (
                left.Refusal is not (TrackerRefusal.Waiting or TrackerRefusal.TornHeader or TrackerRefusal.NotATracker)
            )
                throw new ModelException($"the taker's tracker is {left.Refusal}");
        }
    }

    /// <returns>False: nobody goes on.</returns>
    bool JudgeAll()
    {
        int count = 0;
        foreach (MoveHost host in _hosts)
        {
            using RecoveredTracker found = host.Recover();
            if (found.Refusal != TrackerRefusal.None)
                continue;
            host.Judge(found, _points, !_putsBack);
            count++;
        }
        if (count > 1 && !_putsBack)
            throw new ModelException($"{count} hosts may go on with one tracker");
        return count > 0;
    }

    sealed class DeathException : Exception;

    /// <summary>A file whose every step is looked at before and after, and may be the last.</summary>
    sealed class Steps(MoveModel model, ModelFile file, Action onStep) : ITrackerStorage
    {
        readonly List<(byte[] Bytes, ulong At)> _held = [];

        public Func<bool, bool> Drops { get; init; } = _ => false;

        public bool HoldsAreas { get; init; }

        public ulong SizeBytes => file.SizeBytes;

        public bool TryRead(ulong offsetBytes, Span<byte> bytes) => file.TryRead(offsetBytes, bytes);

        public Fault Grow(ulong sizeBytes) => file.Grow(sizeBytes);

        public Fault Write(ulong offsetBytes, ReadOnlySpan<byte> bytes)
        {
            Count();
            if (HoldsAreas && offsetBytes >= HeaderBytes.AreasAt)
                _held.Add((bytes.ToArray(), offsetBytes));
            else if (!Drops(false))
                file.Write(offsetBytes, bytes);
            onStep();
            return Fault.None;
        }

        public Fault Flush()
        {
            Count();
            if (!Drops(true))
                file.Flush();
            onStep();
            return Fault.None;
        }

        public void Release()
        {
            foreach ((byte[] bytes, ulong at) in _held)
            {
                Count();
                file.Write(at, bytes);
            }
            file.Flush();
        }

        void Count()
        {
            if (model._stepsLeft-- <= 0)
                throw new DeathException();
        }
    }
}
