// Whether io_uring works here, with which set-up flags, and what stands in its way where it does not.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux.Ring;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class RingExamination
{
    static readonly (uint Bit, string Name)[] SetupNames =
    [
        (IoUring.IORING_SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"),
        (IoUring.IORING_SETUP_SINGLE_ISSUER, "SINGLE_ISSUER"),
        (IoUring.IORING_SETUP_COOP_TASKRUN, "COOP_TASKRUN"),
        (IoUring.IORING_SETUP_SUBMIT_ALL, "SUBMIT_ALL"),
    ];

    static readonly (uint Bit, string Name)[] FeatureNames =
    [
        (IoUring.IORING_FEAT_SINGLE_MMAP, "SINGLE_MMAP"),
        (IoUring.IORING_FEAT_NODROP, "NODROP"),
        (IoUring.IORING_FEAT_EXT_ARG, "EXT_ARG"),
    ];

    /// <param name="engine">As a backup has it: what it uses is what is said here.</param>
    public static Finding Examine(Engine engine)
    {
        if (engine.Reactor.FileIo is not RingFileIo ring)
            return new Finding(
                "io_uring",
                $"refused: {engine.RingFault}; worker threads are used instead",
                Advise(engine.RingFault)
            );
        RingGrant grant = ring.Grant;
        string found = Phrases.Text(
            $"works; set-up {Names(grant.SetupFlags, SetupNames)}; features {
                Names(grant.Features, FeatureNames)}; {grant.SqEntries} + {grant.CqEntries} entries"
        );
        string? advice = grant.IsDeferred ? null : "Linux 6.1 or newer has DEFER_TASKRUN, which saves CPU";
        return new Finding("io_uring", found, advice);
    }

    static string Advise(Fault fault)
    {
        const string calls = "io_uring_setup, io_uring_enter and io_uring_register";
        if (KernelFacts.IoUringDisabled == "2")
            return "kernel.io_uring_disabled is 2: allow it with 'sysctl kernel.io_uring_disabled=0' as root";
        if (KernelFacts.IoUringDisabled == "1")
            return "kernel.io_uring_disabled is 1: run as root, or as a member of the group kernel.io_uring_group";
        if (KernelFacts.HasSystemCallFilter)
            return $"a seccomp filter is on, as container runtimes set one: let it allow {calls}";
        if (fault.Errno == Errnos.ENOSYS)
            return "use Linux 5.11 or newer, built with CONFIG_IO_URING";
        return "raise the memory-lock limit (ulimit -l) or the limit of open files (ulimit -n)";
    }

    static string Names(uint bits, (uint Bit, string Name)[] table)
    {
        List<string> names = [];
        foreach ((uint bit, string name) in table)
            if ((bits & bit) != 0)
                names.Add(name);
        return names.Count == 0 ? "none" : string.Join(' ', names);
    }
}
