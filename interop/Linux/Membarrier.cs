// membarrier(2): a full fence on every running thread of the process, asked for by one of them. Declarations only.
// Source: membarrier(2), include/uapi/linux/membarrier.h; system call numbers of x86-64 and of asm-generic.
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

public static partial class Membarrier
{
    public const int CMD_PRIVATE_EXPEDITED = 1 << 3;
    public const int CMD_REGISTER_PRIVATE_EXPEDITED = 1 << 4;

    static readonly long Number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 283 : 324;

    /// <returns>0, or -1 with errno.</returns>
    public static long Call(int command) => Call(Number, command, 0, 0);

    // syscall(2) is variadic in C; with integer arguments only, both ABIs pass them like a plain call.
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Call(long number, int command, uint flags, int cpu);
}
