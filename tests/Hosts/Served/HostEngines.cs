// The hosts that tests run against, by name. QEMU is always among them: where a test fails with QEMU, it is the test.
using System;
using System.Threading;

namespace FastBackup.Tests.Hosts.Served;

static class HostEngines
{
    public const string Qemu = "QEMU";
    public const string QemuOverlay = "QEMU with an overlay";

    public const string Plugin = "FastBackup";

    /// <summary>Those that guests are run on.</summary>
    public static readonly string[] All = [Qemu, Plugin];

    /// <summary>Those whose points in time are compared with each other.</summary>
    public static readonly string[] Compared = [.. All, QemuOverlay];

    /// <param name="engine">One of the names above.</param>
    /// <param name="sourcePath">A raw image.</param>
    /// <param name="folder">Takes sockets.</param>
    /// <param name="cancel">Ends every wait.</param>
    public static IServedDisk Serve(string engine, string sourcePath, TempFolder folder, CancellationToken cancel) =>
        engine switch
        {
            Qemu => new QemuDisk(sourcePath, folder, cancel),
            QemuOverlay => new QemuOverlayDisk(new QemuDisk(sourcePath, folder, cancel)),
            Plugin => new PluginDisk(sourcePath, folder, cancel),
            _ => throw new ArgumentOutOfRangeException(nameof(engine)),
        };
}
