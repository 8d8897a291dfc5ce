// Who is told, beside files, of what a completion port has for it.
namespace FastBackup.Ports.Windows;

/// <summary>Threads: the loop's.</summary>
interface IPacketOwner
{
    /// <summary>A call has ended. From the port's Poll; it may push nothing there.</summary>
    /// <param name="overlapped">The address that the call was made with.</param>
    void OnPacket(nint overlapped);
}
