// The one factory of ports: what differs between systems is made here, and nowhere else is asked which one this is.
using System;
using FastBackup.Base;
using FastBackup.Ports.Linux;
using FastBackup.Ports.Windows;

namespace FastBackup.Ports;

/// <summary>Threads: any.</summary>
public abstract class SystemPort
{
    public static SystemPort Current { get; } = HostSystem.IsWindows ? new WindowsPort() : new LinuxPort();

    /// <summary>Calls on names in folders.</summary>
    public abstract NameCalls Names { get; }

    /// <summary>Carries one file command out on the calling thread, for as long as that takes.</summary>
    public abstract FileCall Call { get; }

    /// <summary>Disks and files can be told apart beyond their names, and when they were written: what trackers and
    /// records of unfinished copies need.</summary>
    public abstract bool KnowsDisks { get; }

    /// <summary>Of this process, and of no other before or after it on this machine.</summary>
    public abstract string ProcessName { get; }

    /// <summary>
    /// First thing on a thread of ours: its name, and what must not end the process from there.
    /// </summary>
    /// <param name="name">At most 15 bytes; null: it keeps its own.</param>
    public abstract void BeginThread(string? name);

    /// <summary>Opens what carries file commands out.</summary>
    public abstract PortOpening OpenFileIo(in PortWish wish);

    /// <summary>Makes the streams of a loop, on its thread.</summary>
    public abstract Fault TryCreateStreams(IIoLoop loop, out IStreamIo? streams);

    /// <returns>Null where the system has no more.</returns>
    internal abstract WorkCounter? TryMakeCounter();

    /// <returns>Null where the system has no more.</returns>
    internal abstract LoopBell? TryMakeBell();

    /// <summary>Closes an open file; nothing for a negative number.</summary>
    public abstract void Close(int fd);
}

/// <summary>What a port shall be.</summary>
/// <param name="Depth">Commands in flight at once, over all devices.</param>
/// <param name="MayUseRing">False: worker threads, where the system has a choice.</param>
/// <param name="IsHostDriven">Threads of a host take turns with it.</param>
/// <param name="WorkersPerFile">Blocking calls at once on one file that has threads for all of them.</param>
public readonly record struct PortWish(uint Depth, bool MayUseRing, bool IsHostDriven, int WorkersPerFile);

/// <summary>What became of a wish.</summary>
/// <param name="FileIo">The port; null: there is none of this kind.</param>
/// <param name="ReadyFd">Readable while the port has completions; -1: nothing to wait on.</param>
/// <param name="Fault">None, or why it is not the fastest that the system knows.</param>
public readonly record struct PortOpening(IFileIo? FileIo, int ReadyFd, Fault Fault);
