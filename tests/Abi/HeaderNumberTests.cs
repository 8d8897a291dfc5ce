// What a host gives as a number of the header, and what it gets as one, is cast to a word of the engine or from one:
// the engine's words have the header's numbers.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Native.Header;
using Xunit;

namespace FastBackup.Tests.Abi;

public sealed class HeaderNumberTests
{
    static readonly Dictionary<string, long> Numbers = typeof(Fb)
        .GetFields(BindingFlags.Public | BindingFlags.Static)
        .ToDictionary(constant => constant.Name, constant => Convert.ToInt64(constant.GetRawConstantValue(), null));

    [Theory]
    [InlineData(typeof(BackupSync), "Sync", 5)]
    [InlineData(typeof(ErrorPolicy), "OnError", 4)]
    [InlineData(typeof(CbwErrorPolicy), "OnCbwError", 2)]
    [InlineData(typeof(JobStatus), "Job", 10)]
    [InlineData(typeof(BlockOperation), "Io", 5)]
    [InlineData(typeof(BlockFlags), "Io", 2)]
    public void WordsOfTheEngine_HaveTheHeadersNumbers(Type words, string prefix, int count)
    {
        (string Name, long Number)[] both =
        [
            .. Enum.GetNames(words)
                .Select(name => (Name: name, Header: Numbers.Keys.FirstOrDefault(key => IsSame(key, prefix + name))))
                .Where(pair => pair.Header != null)
                .Select(pair => (pair.Name, Numbers[pair.Header!])),
        ];
        Assert.Equal(count, both.Length);
        Assert.All(both, word => Assert.Equal(word.Number, Convert.ToInt64(Enum.Parse(words, word.Name), null)));
    }

    [Fact]
    public void BitmapModes_FollowTheDefault()
    {
        Assert.Equal(0u, Fb.BitmapModeDefault);
        Assert.Equal(Fb.BitmapModeOnSuccess, (uint)BitmapMode.OnSuccess + 1);
        Assert.Equal(Fb.BitmapModeNever, (uint)BitmapMode.Never + 1);
        Assert.Equal(Fb.BitmapModeAlways, (uint)BitmapMode.Always + 1);
    }

    static bool IsSame(string one, string other) => one.Equals(other, StringComparison.OrdinalIgnoreCase);
}
