// nbd:// and nbd+unix:// among the names of disks; nbds:// and nbds+unix:// where somebody brings TLS.
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <param name="transport">For connections with TLS; null: such names are refused.</param>
public sealed class NbdScheme(INbdTransport? transport = null) : IDeviceScheme
{
    public bool IsMeant(string name) => NbdUri.IsMeant(name);

    public string? Check(string name) => NbdUri.TryParse(name, transport != null, out _);

    public OpenRefusal TryOpen(IIoLoop loop, FileOpenOptions options, out IBlockDevice? device)
    {
        OpenRefusal refusal = NbdOpener.TryOpen(loop, transport, options, out NbdDevice? remote);
        device = remote;
        return refusal;
    }
}
