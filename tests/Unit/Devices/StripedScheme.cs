// The names of the striped device: striped://BYTES. What a new kind of storage has to bring to be opened by its name.
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Tests.Unit.Devices;

sealed class StripedScheme : IDeviceScheme
{
    const string Prefix = "striped://";

    public bool IsMeant(string name) => name.StartsWith(Prefix, System.StringComparison.Ordinal);

    public string? Check(string name) => TryRead(name, out _) ? null : "is no count of bytes";

    public OpenRefusal TryOpen(IIoLoop loop, FileOpenOptions options, out IBlockDevice? device)
    {
        device = TryRead(options.Path, out ulong bytes) ? new StripedDevice(loop, bytes) : null;
        return device == null ? OpenRefusal.Rule($"'{options.Path}' {Check(options.Path)}") : default;
    }

    static bool TryRead(string name, out ulong bytes) =>
        ulong.TryParse(name[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out bytes);
}
