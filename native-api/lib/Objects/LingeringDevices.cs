// Host devices that were closed while the host still had requests of them: it may end those by the old handle, so that
// their memory comes back, until the engine is closed.
using System.Collections.Generic;
using System.Threading;
using FastBackup.Native.Handles;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any.</summary>
static class LingeringDevices
{
    static readonly Lock s_lock = new();
    static readonly Dictionary<ulong, (AbiObject Engine, HostDevice Device)> s_devices = [];

    public static void Add(ulong id, AbiObject engine, HostDevice device)
    {
        lock (s_lock)
            s_devices.Add(id, (engine, device));
    }

    public static void Remove(ulong id)
    {
        lock (s_lock)
            _ = s_devices.Remove(id);
    }

    public static HostDevice? Find(ulong id)
    {
        lock (s_lock)
            return s_devices.TryGetValue(id, out (AbiObject Engine, HostDevice Device) found) ? found.Device : null;
    }

    /// <summary>The engine's thread has ended: nobody waits any more. Calls the hosts' release functions.</summary>
    public static void Abandon(AbiObject engine)
    {
        List<HostDevice> abandoned = [];
        lock (s_lock)
            foreach ((ulong id, (AbiObject Engine, HostDevice Device) item) in s_devices)
                if (ReferenceEquals(item.Engine, engine) && s_devices.Remove(id))
                    abandoned.Add(item.Device);
        foreach (HostDevice device in abandoned)
            device.Abandon();
    }
}
