// What a connection tells the device whose requests it carries.
using FastBackup.Base;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the device's.</summary>
interface INbdLinkOwner
{
    /// <summary>The piece of a slot has its whole answer, and its payload has left.</summary>
    void OnAnswered(ulong key, NbdSlot slot);

    /// <summary>Nothing will be answered here any more. What is under way still comes back: OnIdle.</summary>
    /// <param name="fault">Of what was asked.</param>
    /// <param name="because">A clause for people.</param>
    /// <param name="isViolation">The server does what it may not; else the connection has ended.</param>
    void OnBroken(Fault fault, string because, bool isViolation);

    /// <summary>It was closed, and the port has let go of every buffer.</summary>
    void OnIdle(NbdLink link);
}
