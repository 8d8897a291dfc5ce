// The first connection to a remote disk, and the device over it: what a thread posts to the loop and waits for.
using System;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the loop's; the results any, once it is told of the end.</summary>
/// <param name="loop">Drives the device.</param>
/// <param name="remote">What to open.</param>
/// <param name="onEnd">Told once, on the loop's thread.</param>
sealed class NbdOpening(IIoLoop loop, NbdRemote remote, Action onEnd) : ILoopTask
{
    /// <summary>The device, or null when refused. Owner: whoever posted this.</summary>
    public NbdDevice? Device { get; private set; }

    public OpenRefusal Refusal { get; private set; }

    void ILoopTask.Run(ulong argument) => new NbdDial(loop, remote, OnDialed).Start(0, isPausing: false);

    void ILoopTask.Abandon(ulong argument)
    {
        Refusal = OpenRefusal.Of(remote.Uri.Text, "open", new Fault(FaultKind.Bug));
        onEnd();
    }

    void OnDialed(NbdConnecting tried)
    {
        Refusal = tried.Refusal;
        if (tried.Export != null)
            try
            {
                Device = new NbdDevice(loop, remote, tried);
            }
            catch (InsufficientMemoryException)
            {
                tried.Streams.Close(tried.Stream);
                Refusal = OpenRefusal.Of(remote.Uri.Text, "open", new Fault(FaultKind.NoMemory));
            }
        onEnd();
    }
}
