// A host inside this process, for the command that serves disks: an engine, disks by name, and a monitor for them, by
// the same objects that hosts reach through the C interface, without handles.
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Native.Calls;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Monitor.Server;
using FastBackup.Native.Objects;
using FastBackup.Runtime;
using FastBackup.Serving;
using FastBackup.Tracking.Format;

namespace FastBackup.Native.Hosting;

/// <summary>Threads: one, but for what Engine and Disk say of themselves.</summary>
sealed class HostedDisks
{
    const uint WaitingMax = 4096;
    const int CloseLimitMs = 5000;
    const int CloseLookMs = 5;

    readonly EngineObject _engine;
    readonly List<DiskObject> _disks = [];
    MonitorObject? _monitor;

    HostedDisks(Engine core)
    {
        _engine = new EngineObject { Core = core };
        _ = HandleTable.Open(_engine);
    }

    public Engine Engine => _engine.Core;

    /// <summary>For a server of these disks.</summary>
    public HostedExports Exports { get; } = new();

    public IEnumerable<IBlockDevice> Devices
    {
        get
        {
            foreach (DiskObject disk in _disks)
                yield return disk.Device.Device;
        }
    }

    /// <returns>None, or why there is no engine.</returns>
    public static Fault TryOpen(EngineOptions options, out HostedDisks? host)
    {
        Fault fault = Engine.TryOpen(options, out Engine? core);
        host = fault.IsNone ? new HostedDisks(core!) : null;
        return fault;
    }

    /// <summary>Opens a disk; it may wait for a file system.</summary>
    /// <param name="name">That it has in the monitor; differs from the others'.</param>
    /// <param name="options">What to open and how.</param>
    /// <param name="absorbBytes">Memory for writes that are answered before they land; 0: none.</param>
    /// <returns>None, or why not.</returns>
    public OpenRefusal TryAdd(string name, FileOpenOptions options, ulong absorbBytes)
    {
        options = options with { KeepsBitmaps = true };
        Answer answer = DeviceMaking.OpenImage(_engine, options, out DeviceObject? device);
        if (!answer.IsOk)
            return Refusal(answer);
        DiskObject? made = null;
        answer = _engine.RunUnlessStopped(
            device!,
            () => DiskObject.TryMake(_engine, device!, name, WaitingMax, absorbBytes, isOfMonitor: false, out made)
        );
        if (made == null)
        {
            _ = DeviceClosing.Close(device!, out FileDevice? closing);
            closing?.WaitClosed();
            return Refusal(answer);
        }
        _disks.Add(made);
        OpenRefusal refusal = ImageBitmaps.TryLoad(made);
        if (!refusal.IsNone)
            return refusal; // the end of the host closes the disk
        ServedDisk live = new(name, new DiskFront(made.Core))
        {
            Description = options.Path,
            IsReadOnly = options.IsReadOnly,
            Bitmaps = new ExportedBitmaps(made),
        };
        Exports.Add(made, live);
        return default;
    }

    /// <summary>Why a tracker did not end well; null: they all did.</summary>
    public string? TrackerTrouble { get; private set; }

    /// <summary>Why an image has not stored its bitmaps; null: they all have.</summary>
    public string? BitmapTrouble { get; private set; }

    /// <summary>Tracks what clients write to a disk, before the first of them is there; waits for storage.</summary>
    /// <param name="name">As it was added.</param>
    /// <param name="path">Of a tracker file.</param>
    /// <param name="restarted">Not null: why it begins anew, all of the disk changed; part of a sentence.</param>
    /// <returns>None, or why not: the disk is as it was.</returns>
    public OpenRefusal TryTrack(string name, string path, out string? restarted)
    {
        restarted = null;
        foreach (DiskObject disk in _disks)
            if (disk.Core.Name == name)
            {
                Answer answer = DiskTracking.Attach(disk, path);
                if (disk.Tracker is { RestartReason: not TrackerRefusal.None and var reason })
                    restarted = TrackerRefusals.Describe(path, reason);
                return answer.IsOk ? default : Refusal(answer);
            }
        return default;
    }

    /// <summary>A control socket for all disks.</summary>
    /// <returns>None, or why not.</returns>
    public OpenRefusal TryOpenMonitor(string path)
    {
        Answer answer = MonitorCalls.Open(_engine, path, out _monitor);
        return answer.IsOk ? default : Refusal(answer);
    }

    /// <summary>
    /// Ends jobs and monitor, then closes disks and engine. What a device does not answer stays as it is until the
    /// process ends.
    /// </summary>
    /// <returns>Null, or why something of it is left.</returns>
    public string? TryClose()
    {
        if (_monitor is { } monitor && MonitorCalls.Close(monitor) is { IsOk: false } refusal)
            return refusal.Text;
        foreach (DiskObject disk in _disks)
        {
            Answer answer = CloseDisk(disk);
            if (!answer.IsOk)
                return answer.Text;
            _ = DeviceClosing.Close(disk.Device, out FileDevice? closing);
            closing?.WaitClosed();
        }
        return _engine.CloseIfUnused().Text;
    }

    Answer CloseDisk(DiskObject disk)
    {
        Answer answer = default;
        for (int waitedMs = 0; waitedMs < CloseLimitMs; waitedMs += CloseLookMs)
        {
            if (disk.Tracker != null && DiskTracking.Detach(disk) is { IsOk: false, Status: not Status.State } trouble)
                TrackerTrouble = trouble.Text;
            answer = _engine.Run(
                disk,
                () =>
                {
                    ImageBitmaps.Capture(disk);
                    return disk.CloseIfIdle();
                }
            );
            if (answer.IsOk)
                break;
#pragma warning disable RS0030 // requests of clients that are gone end by themselves, and nobody tells of the last
            Thread.Sleep(CloseLookMs);
#pragma warning restore RS0030
        }
        if (answer.IsOk && disk.Image is { } kept && ImageBitmaps.TryStore(_engine, kept) is { IsNone: false } unstored)
            BitmapTrouble = unstored.Sentence;
        return answer;
    }

    static OpenRefusal Refusal(in Answer answer) =>
        new(answer.Fault.IsFault ? answer.Fault : new Fault(FaultKind.State), answer.Text ?? answer.Fault.ToString());
}
