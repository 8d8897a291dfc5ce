// Which remote disk a device is: the server's address and the export. Two names of one server, or of one disk behind
// two exports, are not seen.
using System.Net;
using FastBackup.Devices.Opening;

namespace FastBackup.Devices.Nbd;

sealed class NbdIdentity(EndPoint server, string export) : StorageIdentity
{
    readonly EndPoint _server = server;
    readonly string _export = export;

    public override bool Shares(StorageIdentity other) =>
        other is NbdIdentity nbd && nbd._server.Equals(_server) && nbd._export == _export;
}
