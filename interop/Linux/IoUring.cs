// io_uring's three system calls. Declarations only; structures and numbers are in Generated, from the kernel's header.
// Source: io_uring_setup(2), io_uring_enter(2), io_uring_register(2).
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

public static unsafe partial class IoUring
{
    const string Library = "libc";

    public static int Setup(uint entries, IoUringParams* parameters) =>
        (int)SetupCall(SYS_io_uring_setup, entries, parameters);

    public static int Enter(int fd, uint toSubmit, uint minComplete, uint flags, void* argument, nuint argumentBytes) =>
        (int)EnterCall(SYS_io_uring_enter, fd, toSubmit, minComplete, flags, argument, argumentBytes);

    public static int Register(int fd, uint opcode, void* argument, uint count) =>
        (int)RegisterCall(SYS_io_uring_register, fd, opcode, argument, count);

    // syscall(2) is variadic in C; with integer arguments only, both ABIs pass them like a plain call.
    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial long SetupCall(long number, uint entries, IoUringParams* parameters);

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial long EnterCall(
        long number,
        int fd,
        uint toSubmit,
        uint minComplete,
        uint flags,
        void* argument,
        nuint argumentBytes
    );

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    private static partial long RegisterCall(long number, int fd, uint opcode, void* argument, uint count);
}
