// How a file command has ended, in words that do not depend on the system: what a device has to tell apart to make a
// whole request of it. The system's own number travels in the fault, for people.
using FastBackup.Base;

namespace FastBackup.Ports;

public enum FileOutcome : byte
{
    Done,

    /// <summary>Nothing happened: the same command again.</summary>
    Again,

    /// <summary>This file knows no such operation; another one may do what is wanted.</summary>
    Refused,

    /// <summary>Not with this range, or not now: the same operation may work elsewhere.</summary>
    RefusedHere,
    Failed,
}

/// <param name="Outcome">What follows from it.</param>
/// <param name="Count">Done: bytes moved (fewer than asked: no failure), entries of a Map, a size. Else 0.</param>
/// <param name="Fault">None when done, without an offset; else what to say if nothing else helps.</param>
public readonly record struct FileResult(FileOutcome Outcome, ulong Count, Fault Fault)
{
    public bool IsDone => Outcome == FileOutcome.Done;

    public static FileResult Done(ulong count) => new(FileOutcome.Done, count, Fault.None);
}
