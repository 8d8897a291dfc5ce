// A tracker's store with nothing changed and nothing open, the disk that it is about, and a device whose requests stand
// until the test answers them.
using System;
using FastBackup.Filter;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Copy;
using FastBackup.Tests.Unit.Filter;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Store;

namespace FastBackup.Tests.Unit.Tracking;

sealed class StoreBench : IDisposable
{
    readonly VastDevice _source;

    public StoreBench()
    {
        TrackerHeader header = TrackerScene.Header(Shape);
        Tracker = TrackerRecovery.Recover(
            new ModelFile(TrackerScene.NewFile(header)),
            new TrackerWorld(header.DiskId, Shape.DiskBytes, header.Stamp, 0, header.Home, IsFileSettled: true)
        );
        Store = new TrackerStore(Tracker);
        Device = new StandingDevice(header.Areas[^1].EndBytes);
        _source = new VastDevice(Loop.Reactor, Shape.DiskBytes);
        Disk = new Disk(Loop.Reactor, _source, "disk", slotCount: 4);
    }

    /// <summary>33 regions of 64 granules.</summary>
    public static TrackerShape Shape => TrackerScene.Shape;

    public SimulatedLoop Loop { get; } = new(1);

    public RecoveredTracker Tracker { get; }

    public TrackerStore Store { get; }

    public StandingDevice Device { get; }

    public Disk Disk { get; }

    /// <summary>Deferred tasks run.</summary>
    public void Turn()
    {
        for (int i = 0; i < 4; i++)
            Loop.Reactor.Turn(0);
    }

    public void Dispose()
    {
        Disk.Dispose();
        _source.Dispose();
        Store.Dispose();
        Tracker.Dispose();
        Loop.Dispose();
    }
}
