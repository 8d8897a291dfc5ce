// What clients ask for of files that may hang: opens that are under way, and threads that wait for opens and closes.
using System.Collections.Generic;
using FastBackup.Devices;
using FastBackup.Ports.Linux;

namespace FastBackup.Native.Monitor.Nodes;

/// <summary>Threads: the monitor's, or the closing one when that has ended; Patience any.</summary>
sealed class PatientFiles
{
    public const int HangingMax = 16;

    public PatientThreads Patience { get; } = new(HangingMax);

    /// <summary>Under way.</summary>
    public List<DeviceOpening> Openings { get; } = [];

    /// <summary>Nobody waits for them any more.</summary>
    public void GiveUp()
    {
        foreach (DeviceOpening opening in Openings)
            opening.GiveUp();
        Openings.Clear();
    }
}
