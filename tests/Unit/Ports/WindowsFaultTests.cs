// Errors of Windows in the engine's numbers: the classes that control flow depends on, and nothing that is lost.
using FastBackup.Base;
using FastBackup.Interop.Windows;
using FastBackup.Ports;
using FastBackup.Ports.Linux;
using FastBackup.Ports.Windows;
using Xunit;

namespace FastBackup.Tests.Unit.Ports;

public sealed class WindowsFaultTests
{
    [Theory]
    [InlineData(WindowsErrors.ERROR_DISK_FULL, FaultKind.NoSpace)]
    [InlineData(WindowsErrors.ERROR_HANDLE_DISK_FULL, FaultKind.NoSpace)]
    [InlineData(WindowsErrors.ERROR_DISK_QUOTA_EXCEEDED, FaultKind.NoSpace)]
    [InlineData(WindowsErrors.ERROR_NOT_ENOUGH_MEMORY, FaultKind.NoMemory)]
    [InlineData(WindowsErrors.ERROR_COMMITMENT_LIMIT, FaultKind.NoMemory)]
    [InlineData(WindowsErrors.ERROR_NOT_SUPPORTED, FaultKind.Unsupported)]
    [InlineData(WindowsErrors.ERROR_INVALID_FUNCTION, FaultKind.Unsupported)]
    [InlineData(WindowsErrors.ERROR_OPERATION_ABORTED, FaultKind.Canceled)]
    [InlineData(WindowsErrors.ERROR_SEM_TIMEOUT, FaultKind.TimedOut)]
    [InlineData(WindowsErrors.ERROR_ACCESS_DENIED, FaultKind.Io)]
    [InlineData(23u, FaultKind.Io)] // ERROR_CRC: a sector that cannot be read
    [InlineData(1117u, FaultKind.Io)] // ERROR_IO_DEVICE
    [InlineData(99999u, FaultKind.Io)]
    public void AnError_HasItsClass(uint error, FaultKind kind) =>
        Assert.Equal(kind, Errnos.ToFault(WindowsFault.ToErrno(error)).Kind);

    [Theory]
    [InlineData(WindowsErrors.ERROR_NO_SYSTEM_RESOURCES, FileOutcome.Again)]
    [InlineData(WindowsErrors.ERROR_NOT_ENOUGH_QUOTA, FileOutcome.Again)]
    [InlineData(WindowsErrors.ERROR_INVALID_USER_BUFFER, FileOutcome.Again)]
    [InlineData(WindowsErrors.ERROR_NOT_SUPPORTED, FileOutcome.Refused)]
    [InlineData(WindowsErrors.ERROR_INVALID_PARAMETER, FileOutcome.RefusedHere)]
    [InlineData(WindowsErrors.ERROR_DISK_FULL, FileOutcome.Failed)]
    public void AnError_LeadsToWhatFollows(uint error, FileOutcome outcome) =>
        Assert.Equal(outcome, KernelResult.ToFileResult(-WindowsFault.ToErrno(error)).Outcome);

    [Fact]
    public void NoErrorIsTakenForSuccess()
    {
        Assert.Equal(0, WindowsFault.ToErrno(0));
        for (uint error = 1; error < 20_000; error++)
            Assert.True(WindowsFault.ToErrno(error) > 0);
    }
}
