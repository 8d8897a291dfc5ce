// What to do next about an error of the world, for a sentence that does not say it itself: what comes behind its
// semicolon.
using System;
using FastBackup.Base;

namespace FastBackup.Cli;

static class NextStep
{
    const string OfATracker = ".track.track'";

    /// <param name="sentence">Without a full stop.</param>
    /// <param name="fault">What it is about.</param>
    public static string AddTo(string sentence, Fault fault)
    {
        bool isTracker = sentence.StartsWith("tracker: ", StringComparison.Ordinal);
        string? step =
            !isTracker ? Of(fault.Errno)
            : fault.Errno == Errnos.ENOENT && sentence.Contains(OfATracker, StringComparison.Ordinal)
                ? "name the disk, not its tracker"
            : fault.Errno == Errnos.ENOENT ? "make one with 'fastbackup track add'"
            : fault.Errno == Errnos.EEXIST ? "'fastbackup track remove' removes it, or give another path"
            : Of(fault.Errno);
        return step == null || sentence.Contains(';', StringComparison.Ordinal) ? sentence : $"{sentence}; {step}";
    }

    static string? Of(int errno) =>
        errno switch
        {
            Errnos.ENOENT or Errnos.ENOTDIR => "check the path",
            Errnos.EACCES or Errnos.EPERM => "run as a user who may do that",
            Errnos.EISDIR => "give a file",
            Errnos.ENXIO or Errnos.ENODEV => "nothing is attached to this device",
            Errnos.EROFS => "give a place that can be written to",
            Errnos.ENOSPC or Errnos.EDQUOT => "make room there, or give another place",
            Errnos.ENAMETOOLONG => "give a shorter path",
            Errnos.EADDRINUSE => "stop what listens there, or give another one",
            Errnos.EADDRNOTAVAIL => "give an address of this machine",
            Errnos.ECONNREFUSED => "start its server",
            Errnos.ENOMEM => "free some memory, or give less with --memory",
            Errnos.EIO => "look into the kernel's log (dmesg), and at the disk",
            _ => null,
        };
}
