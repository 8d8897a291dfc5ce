// The hosts that tests run against, by name. QEMU is always among them: where a test fails with QEMU, it is the test.
using System;
using System.Threading;
using Xunit;

namespace FastBackup.Tests.Hosts.Machine;

static class HostEngines
{
    public const string Qemu = "QEMU";

    public static readonly string[] All = [Qemu];

    /// <param name="engine">One of <see cref="All"/>.</param>
    /// <param name="sourcePath">A raw image.</param>
    /// <param name="folder">Takes sockets.</param>
    /// <param name="cancel">Ends every wait.</param>
    public static IServedDisk Serve(string engine, string sourcePath, WorkFolder folder, CancellationToken cancel) =>
        engine switch
        {
            Qemu => new QemuDisk(sourcePath, folder, cancel),
            _ => throw new ArgumentOutOfRangeException(nameof(engine)),
        };
}
