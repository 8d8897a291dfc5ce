// Sizes as people write them.
using System;
using FastBackup.Cli;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("4096B", 4096)]
    [InlineData("64KiB", 65536)]
    [InlineData("64K", 65536)]
    [InlineData("64k", 65536)]
    [InlineData("64kib", 65536)]
    [InlineData("64 KiB", 65536)]
    [InlineData("64KB", 64000)]
    [InlineData("200MB", 200_000_000)]
    [InlineData("200MiB", 209_715_200)]
    [InlineData("1.5GiB", 1_610_612_736)]
    [InlineData("0.5K", 512)]
    [InlineData("1TiB", 1_099_511_627_776)]
    [InlineData("15EiB", 17_293_822_569_102_704_640)]
    [InlineData("18446744073709551615", ulong.MaxValue)]
    public void Size_IsRead(string text, ulong bytes)
    {
        Assert.Null(ByteSize.TryParse(text, out ulong actual));
        Assert.Equal(bytes, actual);
    }

    [Theory]
    [InlineData("", "is not a size")]
    [InlineData(" ", "is not a size")]
    [InlineData("x", "is not a size")]
    [InlineData("KiB", "is not a size")]
    [InlineData("NaN", "is not a size")]
    [InlineData("Infinity", "is not a size")]
    [InlineData("0x10", "is not a size")]
    [InlineData("1e3", "is not a size")]
    [InlineData("1,5K", "is not a size")]
    [InlineData("1.2.3", "is not a size")]
    [InlineData(".", "is not a size")]
    [InlineData("5XiB", "is not a size")]
    [InlineData("5KiBs", "is not a size")]
    [InlineData("5KiB/s", "is not a size")]
    [InlineData("-", "is not a size")]
    [InlineData("-1", "is negative")]
    [InlineData("-64KiB", "is negative")]
    [InlineData("0.3KiB", "is not a whole number")]
    [InlineData("1.5", "is not a whole number")]
    [InlineData("16EiB", "is too large")]
    [InlineData("18446744073709551616", "is too large")]
    [InlineData("99999999999999999999999999999999999999", "is too large")]
    public void Garbage_IsRefused(string text, string reason) =>
        Assert.StartsWith(reason, ByteSize.TryParse(text, out _), StringComparison.Ordinal);

    [Fact]
    public void SmallClustersOfAHugeDisk_AreRefusedBeforeTheMemoryIsTaken()
    {
        const ulong pebi = 1UL << 50;
        Assert.Null(CopyBitmapRule.Check(pebi, 65536, 7UL << 30));
        string? sentence = CopyBitmapRule.Check(pebi, 4096, 96UL << 30);
        Assert.Contains("needs 96.2 GiB", sentence, StringComparison.Ordinal);
        Assert.Contains("--cluster 8192", sentence, StringComparison.Ordinal);
        Assert.NotNull(CopyBitmapRule.Check(1UL << 62, 4096, ulong.MaxValue));
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.0 KiB")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(1048575, "1.0 MiB")]
    [InlineData(1048576, "1.0 MiB")]
    [InlineData(8589934592, "8.0 GiB")]
    [InlineData(ulong.MaxValue, "16.0 EiB")]
    public void Format_IsForPeople(ulong bytes, string text) => Assert.Equal(text, ByteSize.Format(bytes));
}
