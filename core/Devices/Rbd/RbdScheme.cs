// rbd: among the names of disks.
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Devices.Rbd;

public sealed class RbdScheme : IDeviceScheme
{
    public bool IsMeant(string name) => RbdName.IsMeant(name);

    public string? Check(string name) => RbdName.TryParse(name, out _);

    public OpenRefusal TryOpen(IIoLoop loop, FileOpenOptions options, out IBlockDevice? device)
    {
        device = null;
        if (RbdName.TryParse(options.Path, out RbdName? name) is { } wrong)
            return OpenRefusal.Rule($"'{options.Path}' {wrong}");
        OpenRefusal refusal = RbdImage.TryOpen(name!, options, out RbdImage? image);
        if (image != null)
            device = new RbdDevice(loop, image, options.IsReadOnly || name!.Snapshot != null);
        return refusal;
    }
}
