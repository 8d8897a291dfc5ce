// The runtime opens a file each time that it needs a further part of itself, also in the middle of a job, and dies of a
// refusal. So a limit that is too low is known before anything is opened.
using System;
using System.Globalization;
using FastBackup.Interop.Linux;

namespace FastBackup.Cli;

static class DescriptorLimit
{
    /// <summary>A backup has some 70 open; without a ring, with scratch and several disks more.</summary>
    public const ulong Needed = 128;

    /// <returns>Null, or the sentence that says why nothing can be done.</returns>
    public static unsafe string? Check()
    {
        if (OperatingSystem.IsWindows())
            return null; // handles have no such limit
        ResourceLimit limit;
        // SAFETY: the kernel fills the structure during the call only.
        bool isKnown = Descriptors.GetLimit(Descriptors.RLIMIT_NOFILE, &limit) == 0;
        // The runtime has raised the soft limit to the hard one.
        return !isKnown || limit.Soft >= Needed
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"this process may open {limit.Soft} files, fewer than the {
                    Needed} that it needs; raise the limit (ulimit -Hn {Needed})"
            );
    }
}
