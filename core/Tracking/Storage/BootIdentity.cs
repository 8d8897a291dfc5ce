// Which boot of which kernel this is: what lies in memory files is of this one.
// Source: random(4), /proc/sys/kernel/random/boot_id.
using System;
using System.Globalization;
using FastBackup.Ports.Linux;

namespace FastBackup.Tracking.Storage;

static class BootIdentity
{
    /// <returns>0 where the system does not say: then no boot is known to be this one.</returns>
    public static UInt128 Read()
    {
        string[] lines = SystemText.Lines("/proc/sys/kernel/random/boot_id");
        string digits = lines.Length == 0 ? "" : lines[0].Replace("-", "", StringComparison.Ordinal);
        return UInt128.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out UInt128 boot)
            ? boot
            : 0;
    }
}
