// nbd:// and nbd+unix:// among the names of disks.
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

sealed class NbdScheme : IDeviceScheme
{
    public bool IsMeant(string name) => NbdUri.IsMeant(name);

    public string? Check(string name) => NbdUri.TryParse(name, out _);

    public OpenRefusal TryOpen(IIoLoop loop, FileOpenOptions options, out IBlockDevice? device)
    {
        OpenRefusal refusal = NbdOpener.TryOpen(loop, options, out NbdDevice? remote);
        device = remote;
        return refusal;
    }
}
