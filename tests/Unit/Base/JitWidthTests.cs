// The helper program runs the kernel tests again with vector widths switched off by environment variables.
// A variable that the runtime does not know is ignored in silence; these tests make that a failure.
using System;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class JitWidthTests
{
    [Fact]
    public void EnableAvx512_0_LeavesNo512BitVectors() =>
        Assert.False(IsOff("DOTNET_EnableAVX512") && (Vector512.IsHardwareAccelerated || Avx512F.IsSupported));

    [Fact]
    public void EnableAvx2_0_LeavesNo256BitVectors() =>
        Assert.False(IsOff("DOTNET_EnableAVX2") && (Vector256.IsHardwareAccelerated || Avx2.IsSupported));

    [Fact]
    public void EnableHwIntrinsic_0_LeavesNoVectors() =>
        Assert.False(IsOff("DOTNET_EnableHWIntrinsic") && Vector128.IsHardwareAccelerated);

    static bool IsOff(string variable) => Environment.GetEnvironmentVariable(variable) == "0";
}
