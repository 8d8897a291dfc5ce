// futex(2), one operation of it: an atomic OR that the kernel does for the caller. Unlike an instruction of the
// caller's own, one that meets a page that is no more (a shared mapping whose file was cut) is an error, not a signal.
// Declarations only. Source: futex(2), FUTEX_WAKE_OP; system call numbers of x86-64 and of asm-generic.
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

public static unsafe partial class Futex
{
    const int FUTEX_WAKE_OP = 5;
    const int FUTEX_PRIVATE_FLAG = 128;
    const uint FUTEX_OP_OR = 2;
    const uint FUTEX_OP_OPARG_SHIFT = 8;

    static readonly long Number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 98 : 202;

    /// <summary>*word |= 1 &lt;&lt; bit. Nobody is waked: nobody waits on such a word.</summary>
    /// <param name="word">Four bytes, aligned.</param>
    /// <param name="bit">0..31.</param>
    /// <returns>0, or -1 with errno: EFAULT when there is no such page.</returns>
    public static long SetBit(uint* word, int bit) =>
        Call(
            Number,
            word,
            FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG,
            0,
            0,
            word,
            (FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT) << 28 | (uint)bit << 12
        );

    // syscall(2) is variadic in C; with integer arguments only, both ABIs pass them like a plain call.
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Call(
        long number,
        uint* first,
        int operation,
        uint wakeCount,
        nuint otherWakeCount,
        uint* second,
        uint encoded
    );
}
