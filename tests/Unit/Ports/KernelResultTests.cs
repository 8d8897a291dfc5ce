// What becomes of the kernel's error numbers.
using FastBackup.Base;
using FastBackup.Ports;
using FastBackup.Ports.Linux;
using Xunit;

namespace FastBackup.Tests.Unit.Ports;

public sealed class KernelResultTests
{
    [Theory]
    [InlineData(Errnos.EINTR, FileOutcome.Again)]
    [InlineData(Errnos.EAGAIN, FileOutcome.Again)]
    [InlineData(Errnos.ECANCELED, FileOutcome.Again)] // a ring that could make no worker thread
    [InlineData(Errnos.EOPNOTSUPP, FileOutcome.Refused)]
    [InlineData(Errnos.EINVAL, FileOutcome.RefusedHere)]
    [InlineData(Errnos.EIO, FileOutcome.Failed)]
    [InlineData(Errnos.ENOSPC, FileOutcome.Failed)]
    public void ErrorNumber_SaysWhatToDo(int errno, FileOutcome outcome)
    {
        FileResult result = KernelResult.ToFileResult(-errno);
        Assert.Equal((outcome, errno), (result.Outcome, result.Fault.Errno));
    }

    [Fact]
    public void Count_IsOne() => Assert.Equal(FileResult.Done(4096), KernelResult.ToFileResult(4096));
}
