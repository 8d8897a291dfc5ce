// The end of a device's handle, at once or, of a device that the host brought and still works on, when its last request
// has ended.
using FastBackup.Devices;
using FastBackup.Formats.Qcow2;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any.</summary>
static class DeviceClosing
{
    /// <summary>Does not wait for the file.</summary>
    /// <param name="device">Open.</param>
    /// <param name="closing">What its own thread closes now, for who may wait for that; or null.</param>
    /// <returns>Ok, Handle, or State: a disk or a job uses it.</returns>
    public static Answer Close(DeviceObject device, out FileDevice? closing)
    {
        closing = null;
        EngineObject engine = device.Engine!;
        bool isLingering = false;
        bool isUnwritten = false;
        bool isIdle = false;
        Answer answer = engine.Run(
            device,
            () =>
            {
                if (device.HasDisk || device.HasJob)
                    return Answer.State("a disk or a job uses the device");
                _ = device.TryClose();
                isUnwritten = FileOf(device.Device).ReadsAsZero;
                isIdle = device.Device.InFlightCount == 0;
                isLingering = IsLingeringAfterClose(device);
                HandleTable.Close(device);
                return Answer.Ok;
            }
        );
        if (!answer.IsOk)
            return answer;
        if (!isLingering)
            (device.Device as HostDevice)?.Release();
        device.ClosePlace(isUnwritten);
        if (isIdle && !engine.Reactor.MustNotWait)
            closing = FileOf(device.Device) as FileDevice;
        engine.Release(isChild: true);
        return answer;
    }

    /// <summary>Of an image; else the device itself.</summary>
    static IBlockDevice FileOf(IBlockDevice device) =>
        device switch
        {
            Qcow2Device { File: not BorrowedDevice } image => image.File,
            Qcow2NewImage image => image.File,
            _ => device,
        };

    /// <summary>Ends the device, now or when its last request has ended. On the reactor's thread.</summary>
    /// <returns>True: a host device, and later.</returns>
    static bool IsLingeringAfterClose(DeviceObject device)
    {
        bool isIdle = device.Device.InFlightCount == 0;
        if (isIdle)
            device.Device.Dispose();
        else if (device.Device is not HostDevice)
            device.Device.DisposeWhenIdle();
        if (isIdle || device.Device is not HostDevice host || device.Engine!.Reactor.HasFailed)
            return false; // of a stopped engine nobody will see an end
        ulong id = device.Id;
        LingeringDevices.Add(id, device.Engine, host);
        host.DisposeWhenIdle(() => LingeringDevices.Remove(id));
        return true;
    }
}
