// The signal mask of the calling thread. Declarations only.
// Source: pthread_sigmask(3), sigpending(2), sigtimedwait(2), signal(7) for the numbers.
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>sigset_t of the C library: 1024 bits, of which the kernel knows 64.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
public struct SignalSet
{
    [FieldOffset(0)]
    public ulong First;

    public static SignalSet Of(int signal) => new() { First = 1UL << (signal - 1) };

    public readonly bool Has(int signal) => (First >> (signal - 1) & 1) != 0;
}

public static unsafe partial class Signals
{
    const string Library = "libc";

    public const int SIG_BLOCK = 0;
    public const int SIG_UNBLOCK = 1;

    /// <summary>A file would grow beyond RLIMIT_FSIZE.</summary>
    public const int SIGXFSZ = 25;

    /// <returns>0, or the error number.</returns>
    [LibraryImport(Library, EntryPoint = "pthread_sigmask")]
    public static partial int Mask(int how, SignalSet* set, SignalSet* old);

    [LibraryImport(Library, EntryPoint = "sigpending", SetLastError = true)]
    public static partial int Pending(SignalSet* set);

    /// <summary>Takes a pending signal of the set, if there is one.</summary>
    [LibraryImport(Library, EntryPoint = "sigtimedwait", SetLastError = true)]
    public static partial int Take(SignalSet* set, void* information, KernelTimespec* timeout);
}
