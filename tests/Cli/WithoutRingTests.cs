// Where a container forbids io_uring, everything works all the same, with one warning. The container is a
// system-call filter, as runtimes set one, around the command.
using System;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class WithoutRingTests : IDisposable
{
    // A filter of four instructions: load the call's number; io_uring_setup (425) fails with EPERM, the rest may
    // pass. Source: seccomp(2), linux/filter.h.
    const string Filter = """
        import ctypes, os, struct, sys
        code = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in code))
        class Program(ctypes.Structure):
            _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
        filter = Program(len(code), ctypes.addressof(program))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(filter), 0, 0):
            sys.exit(os.strerror(ctypes.get_errno()))
        os.execvp(sys.argv[1], sys.argv[1:])
        """;

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Backup_WorksWithOneWarning()
    {
        Disks.Sparse(_folder["disk.img"], 20_000_001, (0, 5_000_000), (15_000_000, 4_000_000));
        ProgramResult result = Run("backup", "disk.img", "copy.img").Expect(0);
        Assert.Contains("io_uring is not available here", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        Assert.Contains("identical", Run("compare", "disk.img", "copy.img").Expect(0).Output);
        Assert.Contains("\"engine\":\"threads\"", Run("compare", "disk.img", "copy.img", "--json").Expect(0).Output);
    }

    [Fact]
    public void Doctor_SaysWhoForbidsIt()
    {
        string shown = Run("doctor").Expect(0).Output;
        Assert.Contains("refused: operation not permitted (EPERM); worker threads are used instead", shown);
        Assert.Contains("-> ", shown);
    }

    ProgramResult Run(params string[] arguments)
    {
        Requires.Command("python3");
        string[] line = ["-c", Filter, .. BuiltCommand.Words, .. arguments];
        return Programs.Run(_folder.Path, "python3", line);
    }
}
