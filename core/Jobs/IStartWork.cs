// What is to happen at the point in time of a transaction beside the start of its jobs.
using FastBackup.Base;
using FastBackup.Filter;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's. One of the two is called, once, unless the reactor stops.</summary>
public interface IStartWork
{
    /// <summary>They are quiet in the moment, with those of the jobs.</summary>
    Disk[] Disks { get; }

    /// <summary>In the moment, when all jobs have begun.</summary>
    /// <returns>A fault fails the jobs.</returns>
    Fault DoQuiesced();

    /// <summary>The jobs have ended before it.</summary>
    void Abandon();
}
