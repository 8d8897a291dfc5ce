// A write or an ftruncate beyond the process's limit for files (RLIMIT_FSIZE) fails with EFBIG, and the kernel sends
// SIGXFSZ to the thread that made the call, which by default ends the process. An error of a backup must not end its
// host: the signal is blocked where such calls are made, and the error is what is left.
//
//   threads of ours     block it for good when they begin
//   a host's threads    have it blocked around the call; what came meanwhile is taken away, so that it does not strike
//                       when the mask goes back. Neither the host's mask nor its handlers are changed.
//   the ring's workers  are the kernel's, and block all signals
//
// It is the only signal that file calls raise (SIGPIPE: sends have MSG_NOSIGNAL; SIGBUS: no file is mapped).
// Source: setrlimit(2), signal(7), generic_write_check_limits in fs/read_write.c, kernel/fork.c create_io_thread.
using System;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: any; one begin and one end on the same thread.</summary>
public static class FileSizeSignal
{
    /// <summary>From now on, on the calling thread.</summary>
    public static unsafe void BlockForGood()
    {
        SignalSet set = SignalSet.Of(Signals.SIGXFSZ);
        // SAFETY: the C library reads the set during the call only.
        _ = Signals.Mask(Signals.SIG_BLOCK, &set, null);
    }

    /// <summary>Until the end of the scope, on the calling thread. Cost: three system calls, a microsecond.</summary>
    public static Scope Block() => new(isActive: true);

    /// <summary>Threads: the one that made it.</summary>
    public readonly ref struct Scope : IDisposable
    {
        readonly bool _isActive;
        readonly bool _wasBlocked;
        readonly bool _wasPending;

        internal unsafe Scope(bool isActive)
        {
            SignalSet set = SignalSet.Of(Signals.SIGXFSZ);
            SignalSet old = default;
            _isActive = isActive;
            // SAFETY: the C library uses the sets during the calls only.
            _ = Signals.Mask(Signals.SIG_BLOCK, &set, &old);
            _wasBlocked = old.Has(Signals.SIGXFSZ);
            SignalSet pending = default;
            _wasPending = _wasBlocked && Signals.Pending(&pending) == 0 && pending.Has(Signals.SIGXFSZ);
        }

        public unsafe void Dispose()
        {
            if (!_isActive)
                return;
            SignalSet set = SignalSet.Of(Signals.SIGXFSZ);
            KernelTimespec none = default;
            // SAFETY: as above.
            if (!_wasPending)
                _ = Signals.Take(&set, null, &none);
            if (!_wasBlocked)
                _ = Signals.Mask(Signals.SIG_UNBLOCK, &set, null);
        }
    }
}
