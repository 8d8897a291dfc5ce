// Devices get their handles: a file that is opened, one that was opened already, one that the host brings.
using System;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Formats;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Ports;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any.</summary>
static class DeviceMaking
{
    /// <summary>Opens a file, a block device or a server's disk and gives it a handle.</summary>
    /// <remarks>
    /// On the caller's thread, because an open, and the trial read after it, may wait for a file system or a disk that
    /// does not answer: guests wait for the engine's thread, and must not wait for that.
    /// </remarks>
    public static Answer OpenFile(EngineObject engine, FileOpenOptions options, out DeviceObject? device) =>
        Open(
            engine,
            () => (DeviceSchemes.Known.TryOpen(engine.Reactor, options, out IBlockDevice? opened), opened, null),
            out device
        );

    /// <summary>As OpenFile, of what may be an image.</summary>
    /// <remarks>The engine must run by its own thread: the open reads on it.</remarks>
    public static Answer OpenImage(EngineObject engine, FileOpenOptions options, out DeviceObject? device) =>
        Open(
            engine,
            () => (ImageOpener.TryOpen(engine.Reactor, options, out IBlockDevice? image), image, null),
            out device
        );

    /// <summary>As OpenFile, with an open of the caller's own.</summary>
    public static Answer Open(
        EngineObject engine,
        Func<(OpenRefusal Refusal, IBlockDevice? Device, TargetPlace? Place)> open,
        out DeviceObject? device
    )
    {
        device = null;
        if (!engine.TryRetain(isChild: true)) // before the open: a new file is not made for nothing
            return Answer.Handle(EngineObject.Noun);
        try
        {
            if (engine.IsStopped)
                return EngineObject.StoppedAnswer();
            (OpenRefusal refusal, IBlockDevice? opened, TargetPlace? place) = open();
            if (opened == null)
                return Answer.Of(refusal);
            device = new DeviceObject(engine, opened) { Place = place };
            _ = HandleTable.Open(device);
            return Answer.Ok;
        }
        finally
        {
            if (device == null)
                engine.Release(isChild: true);
        }
    }

    /// <summary>Opens only: nobody owns the device yet, and the engine may be closed meanwhile.</summary>
    /// <param name="engine">Drives it.</param>
    /// <param name="options">What to open and how.</param>
    /// <param name="isRemote">The name is a server's disk; else it is a path, whatever it looks like.</param>
    /// <param name="device">The device, or null when refused.</param>
    public static Answer TryOpen(EngineObject engine, FileOpenOptions options, bool isRemote, out IBlockDevice? device)
    {
        device = null;
        if (engine.IsStopped)
            return EngineObject.StoppedAnswer();
        if (isRemote)
            return Answer.Of(DeviceSchemes.Known.TryOpen(engine.Reactor, options, out device));
        OpenRefusal refusal = DeviceOpener.TryOpen(engine.Reactor, options, out FileDevice? file);
        device = file;
        return Answer.Of(refusal);
    }

    /// <summary>Gives a device that was opened a handle; it is the engine's then.</summary>
    /// <returns>Ok, or why not: the device stays the caller's.</returns>
    public static Answer Adopt(EngineObject engine, IBlockDevice opened, out DeviceObject? device)
    {
        device = null;
        if (!engine.TryRetain(isChild: true))
            return Answer.Handle(EngineObject.Noun);
        device = new DeviceObject(engine, opened);
        _ = HandleTable.Open(device);
        return Answer.Ok;
    }

    /// <summary>Makes a device on the reactor's thread and gives it a handle.</summary>
    public static Answer AddTo(EngineObject engine, Func<IIoLoop, (Answer, IBlockDevice?)> make, out ulong id)
    {
        id = 0;
        if (!engine.TryRetain(isChild: true))
            return Answer.Handle(EngineObject.Noun);
        DeviceObject? made = null;
        try
        {
            Answer answer = engine.RunUnlessStopped(
                engine,
                () =>
                {
                    (Answer inner, IBlockDevice? device) = make(engine.Reactor);
                    made = device == null ? null : new DeviceObject(engine, device);
                    return inner;
                }
            );
            id = made == null ? 0 : HandleTable.Open(made);
            return answer;
        }
        finally
        {
            if (made == null)
                engine.Release(isChild: true);
        }
    }
}
