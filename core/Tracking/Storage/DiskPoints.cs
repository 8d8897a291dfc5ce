// The points of a disk that is in use: made and deleted one at a time, each in turns of two threads.
//
//   loop      TryReserve                TryBegin (ready)  TrySwap in the moment ... (end)   Release
//   caller               PrepareAdd
//   loop      TryReserve                TryName ... (end)                                   Release
//   caller               PrepareDelete
//   loop      TryReserve                TryGrow in the moment; released, idle        EndGrowth     Release
//   caller               PrepareGrowth                                        Grow
//
// Whatever ends before the swap leaves all as it was, but for room in the file; after it the point is whole, or the
// tracker has failed. The point is durable at the end, some milliseconds behind its instant: a kill in between leaves
// the tracker without the point, and without it nothing is missing of the others.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices.Opening;
using FastBackup.Ports;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Live;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Store;
using FastBackup.Tracking.Watch;

namespace FastBackup.Tracking.Storage;

/// <summary>Threads: the loop's, unless a member says otherwise.</summary>
public sealed class DiskPoints : ILoopTask, IDisposable
{
    readonly IIoLoop _loop;
    readonly WriteTracker _watcher;
    readonly TrackerFile _file;
    readonly MapChain _chain;
    TrackerStore _store;
    ulong _sequence;
    PointPlan? _plan;
    LiveFile? _next;
    Fault _unsaid; // of a step that was not the loop's
    Fault _end;
    Action<Fault>? _onEnd;
    bool _hasSwapped;

    internal DiskPoints(
        IIoLoop loop,
        WriteTracker watcher,
        TrackerFile file,
        TrackerStore store,
        RecoveredTracker found,
        LiveFile? live
    )
    {
        (_loop, _watcher, _file, _store, Live) = (loop, watcher, file, store, live);
        (_chain, _sequence) = (found.Chain!, found.LastSequence + 1);
    }

    internal LiveFile? Live { get; private set; }

    /// <summary>Somebody has them in hand.</summary>
    public bool IsReserved { get; private set; }

    /// <summary>Those that have names, oldest first. Only while reserved.</summary>
    public IReadOnlyList<TrackedPoint> Named => [.. _chain.Points.Where(point => point.Name.Length > 0)];

    /// <summary>Bytes of what a map tells apart.</summary>
    public ulong GranuleBytes => _store.Header.Shape.GranuleBytes;

    /// <summary>Whether the point of this name, if there is one, is a persistent bitmap's. Threads: as above.</summary>
    public bool IsBitmap(string name) => _chain.Find(name) is >= 0 and int index && _chain.Points[index].IsBitmap;

    /// <summary>Whether there is a point of this name. Threads: any, reserved.</summary>
    public bool Has(string name) => _chain.Find(name) >= 0;

    /// <summary>As above, made at this time: another one of its name is another one.</summary>
    public bool Has(string name, ulong createdNs) => TryGetTime(name, out ulong found) && found == createdNs;

    /// <summary>When the point of this name was made, since 1970. Threads: any, reserved.</summary>
    /// <returns>False: there is none.</returns>
    public bool TryGetTime(string name, out ulong createdNs)
    {
        int index = _chain.Find(name);
        createdNs = index < 0 ? 0 : _chain.Points[index].CreatedNs;
        return index >= 0;
    }

    /// <returns>False: somebody has them, or the tracker has given way.</returns>
    public bool TryReserve()
    {
        if (IsReserved || _hasSwapped || _watcher.IsOver)
            return false;
        IsReserved = true;
        return true;
    }

    /// <summary>What was prepared and did not come to its moment is forgotten.</summary>
    public void Release()
    {
        Check.That(IsReserved);
        IsReserved = false;
        if (_unsaid.IsFault && _unsaid.Kind is not (FaultKind.NoSpace or FaultKind.NoMemory))
            _watcher.Fail(_unsaid);
        _unsaid = Fault.None;
        if (_hasSwapped)
            return; // it has failed after its moment: bits may still go to what is new
        _watcher.WithdrawPoint();
        Forget();
    }

    void Forget()
    {
        _plan?.Dispose();
        if (_next != null)
            _file.RemoveNextLive(_store.Header);
        _next?.Dispose();
        (_plan, _next) = (null, null);
    }

    /// <summary>Makes new maps and a new table durable, where nobody looks yet. Threads: any that may wait; reserved.
    /// </summary>
    /// <param name="names">Of the points of one instant, and whether each is a persistent bitmap's.</param>
    /// <param name="createdNs">Since 1970.</param>
    /// <returns>None, or why not: then Release.</returns>
    public OpenRefusal PrepareAdd(IReadOnlyList<(string Name, bool IsBitmap)> names, ulong createdNs)
    {
        HashSet<string> taken = [.. Named.Select(point => point.Name)];
        foreach ((string name, _) in names)
        {
            string? wrong =
                !TrackedPoint.IsName(name) ? "the name of a checkpoint has 1 to 1023 bytes"
                : !taken.Add(name) ? $"tracker '{_file.Path}' has a checkpoint '{name}' already"
                : taken.Count > TrackedPoint.CountMax
                    ? $"tracker '{_file.Path}' has {TrackedPoint.CountMax} checkpoints, which is the most"
                : null;
            if (wrong != null)
                return OpenRefusal.Rule(wrong);
        }
        OpenRefusal refusal = Prepare(() => PointPlan.AddAll(_store.Header, _chain, names, createdNs));
        if (refusal.IsNone)
            _next = _file.CreateNextLive(_plan!.Header with { Sequence = _store.Header.Sequence }, _plan.Maps[^1]);
        return refusal;
    }

    /// <summary>As above, without the point of this name.</summary>
    public OpenRefusal PrepareDelete(string name)
    {
        int index = _chain.Find(name);
        return index < 0
            ? OpenRefusal.Rule($"tracker '{_file.Path}' has no checkpoint '{name}'")
            : Prepare(() => PointPlan.Delete(_store.Header, _chain, index));
    }

    /// <summary>As above, for a disk that is about to have so many bytes, more than it has.</summary>
    public OpenRefusal PrepareGrowth(ulong diskBytes) =>
        (_store.Header.Shape with { DiskBytes = diskBytes }).IsLegal
            ? Prepare(() => PointPlan.Grow(_store.Header, _chain, diskBytes))
            : OpenRefusal.Rule($"a disk of {diskBytes} bytes cannot be tracked: detach tracker '{_file.Path}' first");

    OpenRefusal Prepare(Func<PointPlan> make)
    {
        try
        {
            _plan = make();
            _unsaid = TrackerSteps.WriteNew(_file, _plan, _sequence);
        }
        catch (InsufficientMemoryException)
        {
            _unsaid = new Fault(FaultKind.NoMemory);
        }
        return _unsaid.IsNone ? default : OpenRefusal.Of(_file.Path, "write tracker", _unsaid);
    }

    /// <summary>Makes ready for the moment of what PrepareAdd has prepared.</summary>
    /// <param name="onReady">Told once, maybe in this call.</param>
    /// <param name="onEnd">Told once after the swap, in a turn of the loop: the point is durable, or the tracker has
    /// failed. Then Release.</param>
    /// <returns>False: the tracker has failed meanwhile; Release.</returns>
    public bool TryBegin(Action onReady, Action<Fault> onEnd)
    {
        _onEnd = onEnd;
        _file.TellGrowth();
        return _watcher.TryBeginPoint(_plan!, _next, onReady, OnEnd);
    }

    /// <summary>A swap would be made.</summary>
    public bool IsReady => _watcher.IsPointReady;

    /// <summary>The instant of the point. The disk is quiesced, and it is ready.</summary>
    /// <returns>As above: nothing was changed.</returns>
    public bool TrySwap() => _hasSwapped = _watcher.TrySwapPoint();

    /// <summary>What PrepareDelete has prepared.</summary>
    /// <param name="onEnd">As above.</param>
    /// <returns>As above.</returns>
    public bool TryName(Action<Fault> onEnd)
    {
        _onEnd = onEnd;
        _file.TellGrowth();
        return _watcher.TryNamePoints(_plan!, OnEnd);
    }

    /// <summary>In the moment in which the disk grows: all writes are held from here on.</summary>
    /// <returns>False: the tracker has failed; nothing was changed.</returns>
    public bool TryGrow() => _hasSwapped = _watcher.Release();

    /// <summary>The file is that of the larger disk. Threads: any that may wait; released, and no step under way.
    /// </summary>
    /// <param name="store">As it is from here on; the caller's.</param>
    /// <param name="open">Its regions; the caller's.</param>
    internal Fault Grow(out TrackerStore store, out HierarchicalBitmap open)
    {
        PointPlan plan = _plan!;
        ulong sequence = Math.Max(_sequence, _store.LastSequence) + 1;
        store = TrackerGrowth.TakeOver(plan, _store, _chain.Maps[^1], sequence, out open);
        Fault fault = TrackerGrowth.WriteRecording(_file, plan, store, sequence);
        if (fault.IsFault)
            return fault;
        _next = _file.CreateNextLive(store.Header, plan.Maps[^1]);
        fault = TrackerSteps.WriteHeader(_file, store, store.Header);
        if (fault.IsFault)
            _next?.Void(); // the header may be there by now
        return fault;
    }

    /// <summary>The disk is the larger one.</summary>
    /// <param name="store">That Grow has given.</param>
    /// <param name="start">Lets writes pass by the rules of a live map.</param>
    internal void EndGrowth(TrackerStore store, Action<LiveMap> start)
    {
        start(new LiveMap(_plan!.Maps[^1], _next));
        (_store, _sequence) = (store, store.LastSequence);
        _plan.Commit(_chain);
        _plan.Dispose();
        ChangeLive();
        (_plan, _hasSwapped) = (null, false);
    }

    /// <summary>Maybe in a quiesced moment: memory is given back behind it.</summary>
    void OnEnd(Fault fault)
    {
        _end = fault;
        _loop.Defer(this, 0);
    }

    void ILoopTask.Run(ulong argument)
    {
        if (_end.IsNone)
        {
            _plan!.Commit(_chain);
            _plan.Dispose();
            if (_hasSwapped)
                ChangeLive();
            (_plan, _hasSwapped) = (null, false);
        }
        _onEnd!(_end);
    }

    void ChangeLive()
    {
        LiveFile? before = Live;
        (Live, _next) = (_next, null);
        if (Live == null)
            _file.RemoveLive(_store.Header);
        else
            Live.TakeName();
        before?.Dispose();
    }

    /// <summary>Adds what has changed since a point until some instant of this call, and may add what changes
    /// meanwhile. Threads: any, reserved.</summary>
    /// <param name="name">Of a point.</param>
    /// <param name="target">Of the disk's size and any granularity; others may set bits in it meanwhile.</param>
    /// <returns>False: there is no such point.</returns>
    public bool TryAddSince(string name, HierarchicalBitmap target)
    {
        int index = _chain.Find(name);
        for (int i = index; i >= 0 && i < _chain.Maps.Count; i++)
            Check.That(target.MergeLive(_chain.Maps[i]).IsNone);
        return index >= 0;
    }

    /// <summary>The named ones, oldest first, each with how many bytes have changed since, as of some instant of this
    /// call. Threads: any, reserved.</summary>
    public IReadOnlyList<(TrackedPoint Point, ulong ChangedBytes)> CountSinceNamed() => _chain.CountSinceNamed();

    /// <summary>What has changed since a point that is there, as of some instant of this call: the caller's. Threads:
    /// any, reserved.</summary>
    /// <exception cref="InsufficientMemoryException">It does not fit.</exception>
    public HierarchicalBitmap Since(string name) => _chain.Since(_chain.Find(name));

    /// <summary>The maps whose union is what has changed since a point, until now. They are these until the loop turns,
    /// and gain what is written meanwhile. Threads: the loop's, reserved or not.</summary>
    /// <param name="name">Of a point.</param>
    /// <param name="maps">Gains them.</param>
    /// <returns>False: there is no such point.</returns>
    public bool TryMapsSince(string name, List<HierarchicalBitmap> maps)
    {
        int index = _chain.Find(name);
        if (index < 0)
            return false;
        maps.AddRange(_chain.Maps.Skip(index));
        if (_hasSwapped && _plan != null)
            maps.Add(_plan.Maps[^1]); // writes are recorded there, and the chain does not have it yet
        return true;
    }

    public void Dispose()
    {
        _next?.Dispose();
        _plan?.Dispose();
        Live?.Dispose();
    }
}
