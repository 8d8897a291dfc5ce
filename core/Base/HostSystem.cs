// Which system this is: the one place that asks. Only those ask here who choose an implementation for it: HostMemory,
// SystemPort and DiskFiles. Everything else in the engine is the same on every system.
using System;
using System.Runtime.Versioning;

namespace FastBackup.Base;

public static class HostSystem
{
    [SupportedOSPlatformGuard("windows")]
    public static bool IsWindows { get; } = OperatingSystem.IsWindows();
}
