// The numbers against the C header of this machine, and the class and words of each.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;
using FastBackup.Base;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed partial class ErrnosTests
{
    static IEnumerable<(string Name, int Value)> Constants =>
        typeof(Errnos)
            .GetFields(BindingFlags.Public | BindingFlags.Static)
            .Where(constant => constant.IsLiteral)
            .Select(constant => (constant.Name, (int)constant.GetRawConstantValue()!));

    [Fact]
    [Trait("System", "Linux")] // its headers
    public void Numbers_AreThoseOfTheHeader()
    {
        Requires.Command("gcc");
        Requires.SystemPath("/usr/include/errno.h");
        string macros = Tool.Run("gcc", "-dM", "-E", "-include", "errno.h", "-x", "c", "/dev/null");
        Dictionary<string, int> header = DefinePattern()
            .Matches(macros)
            .ToDictionary(
                match => match.Groups[1].Value,
                match => int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture)
            );
        foreach ((string name, int value) in Constants)
            Assert.Equal((name, header[name]), (name, value));
    }

    [Fact]
    public void Describe_NamesEachNumber()
    {
        string[] timeouts = [nameof(Errnos.ETIME), nameof(Errnos.ETIMEDOUT)];
        foreach ((string name, int value) in Constants.Where(item => !timeouts.Contains(item.Name)))
            Assert.EndsWith($" ({name})", Errnos.Describe(value), StringComparison.Ordinal);
        Assert.Equal("timed out", Errnos.Describe(Errnos.ETIME));
        Assert.Equal("error 9999", Errnos.Describe(9999));
    }

    [Theory]
    [InlineData(0, FaultKind.None)]
    [InlineData(Errnos.ENOSPC, FaultKind.NoSpace)]
    [InlineData(Errnos.EDQUOT, FaultKind.NoSpace)]
    [InlineData(Errnos.ENOMEM, FaultKind.NoMemory)]
    [InlineData(Errnos.ENOSYS, FaultKind.Unsupported)]
    [InlineData(Errnos.EOPNOTSUPP, FaultKind.Unsupported)]
    [InlineData(Errnos.ECANCELED, FaultKind.Canceled)]
    [InlineData(Errnos.ETIMEDOUT, FaultKind.TimedOut)]
    [InlineData(Errnos.ETIME, FaultKind.TimedOut)]
    [InlineData(Errnos.EIO, FaultKind.Io)]
    [InlineData(Errnos.EROFS, FaultKind.Io)]
    [InlineData(9999, FaultKind.Io)]
    public void Classify_PutsUnknownOnesUnderIo(int errno, FaultKind kind) =>
        Assert.Equal(kind, Errnos.Classify(errno));

    [Fact]
    public void ToFault_KeepsTheNumber() => Assert.Equal(new Fault(FaultKind.Io, 9999, 512), Errnos.ToFault(9999, 512));

    [GeneratedRegex(@"^#define (E[A-Z0-9]+) (\d+)", RegexOptions.Multiline)]
    private static partial Regex DefinePattern();
}
