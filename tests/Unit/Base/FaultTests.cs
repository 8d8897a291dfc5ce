// Faults are read by people in error messages and by error policies in code.
using System;
using System.Linq;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class FaultTests
{
    [Fact]
    public void Default_IsNoFault()
    {
        Assert.Equal(Fault.None, default);
        Assert.True(Fault.None.IsNone);
        Assert.False(Fault.None.IsFault);
        Assert.Equal("no error", Fault.None.ToString());
    }

    [Theory]
    [InlineData(FaultKind.NoSpace, Errnos.ENOSPC, 1048576, "no space left on device (ENOSPC) at offset 1048576")]
    [InlineData(FaultKind.Io, Errnos.EIO, 0, "input/output error (EIO) at offset 0")]
    [InlineData(FaultKind.Io, Errnos.EIO, Fault.NoOffset, "input/output error (EIO)")]
    [InlineData(FaultKind.Range, 0, 512, "range passes the end of the device at offset 512")]
    [InlineData(FaultKind.TimedOut, 0, Fault.NoOffset, "timed out")]
    [InlineData(FaultKind.Io, 4095, Fault.NoOffset, "error 4095")]
    [InlineData(FaultKind.None, 0, 512, "no error")]
    public void Text_SaysWhatAndWhere(FaultKind kind, int errno, ulong offsetBytes, string wanted) =>
        Assert.Equal(wanted, new Fault(kind, errno, offsetBytes).ToString());

    [Theory]
    [InlineData(8192, 4096, FaultKind.Truncated, "its size went from 8192 to 4096 bytes (truncated while in use)")]
    [InlineData(8192, 0, FaultKind.Truncated, "its size went from 8192 to 0 bytes (truncated while in use)")]
    [InlineData(8192, 8193, FaultKind.Grown, "its size went from 8192 to 8193 bytes (grown while in use)")]
    public void TextOfAnotherSize_NamesBoth(ulong openedBytes, ulong sizeBytes, FaultKind kind, string wanted)
    {
        Fault fault = Fault.OfSize(openedBytes, sizeBytes);
        Assert.Equal(kind, fault.Kind);
        Assert.Equal(sizeBytes, fault.OffsetBytes);
        Assert.Equal(wanted, fault.ToString());
    }

    [Fact]
    public void Text_DiffersForEveryKind()
    {
        FaultKind[] kinds = Enum.GetValues<FaultKind>();
        string[] texts = [.. kinds.Select(kind => new Fault(kind).ToString())];
        Assert.Equal(kinds.Length, texts.Distinct().Count());
        Assert.Equal("internal error", new Fault(FaultKind.Bug).ToString());
    }

    [Fact]
    public void At_ChangesTheOffsetOnly()
    {
        Fault fault = new(FaultKind.Io, Errnos.EIO, 1);
        Assert.Equal(new Fault(FaultKind.Io, Errnos.EIO, 4096), fault.At(4096));
    }

    [Fact]
    public void Kinds_OtherThanNone_AreFaults()
    {
        foreach (FaultKind kind in Enum.GetValues<FaultKind>())
            Assert.Equal(kind != FaultKind.None, new Fault(kind).IsFault);
    }
}
