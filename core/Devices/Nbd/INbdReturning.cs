// What the way back to a server tells the device that has lost it.
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the device's.</summary>
interface INbdReturning
{
    /// <summary>The server is there again. Owner of the connection: the device.</summary>
    void OnConnected(NbdConnecting made);

    /// <summary>Sends a request of the way itself over that connection.</summary>
    void Ask(ulong key, NbdSlot slot, in BlockRequest request);

    /// <summary>All is as it was: what waits can be asked for.</summary>
    void OnReturned();

    /// <summary>It will not be.</summary>
    void OnLost(Fault fault, string because);
}
