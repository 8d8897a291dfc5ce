// What is left under memory limits, from files as both kinds of cgroups have them.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Memory;

public sealed class MemoryRoomTests : IDisposable
{
    readonly string _root = Directory.CreateTempSubdirectory("fastbackup-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void SecondKind_TakesTheLeastOfAllGroupsAbove_AndCountsPageCacheAsFree()
    {
        Write("a/memory.max", "100000000");
        Write("a/memory.current", "90000000");
        Write("a/memory.stat", "anon 1\ninactive_file 40000000\nactive_file 5000000");
        Write("a/b/memory.max", "max");
        Write("a/b/memory.current", "1");
        Assert.Equal(55_000_000ul, MemoryRoom.CgroupBytes(_root, ["0::/a/b"]));
        Write("a/b/memory.max", "20000000");
        Assert.Equal(19_999_999ul, MemoryRoom.CgroupBytes(_root, ["0::/a/b"]));
    }

    [Fact]
    public void FirstKind_HasItsOwnNames()
    {
        Write("memory/a/memory.limit_in_bytes", "67108864");
        Write("memory/a/memory.usage_in_bytes", "30000000");
        Write("memory/a/memory.stat", "inactive_file 0\ntotal_inactive_file 1000000");
        Write("memory/memory.limit_in_bytes", "9223372036854771712");
        Assert.Equal(38_108_864ul, MemoryRoom.CgroupBytes(_root, ["12:cpu,cpuacct:/a", "4:memory:/a", "0::/"]));
    }

    [Fact]
    public void UsageAboveTheLimit_LeavesNothing()
    {
        Write("memory.max", "1000");
        Write("memory.current", "2000");
        Assert.Equal(0ul, MemoryRoom.CgroupBytes(_root, ["0::/nowhere/else"]));
    }

    [Fact]
    public void NoGroups_AreNoLimit() => Assert.Equal(ulong.MaxValue, MemoryRoom.CgroupBytes(_root, ["x", "0::/"]));

    [Theory]
    [InlineData(200UL << 20, 64UL << 20)]
    [InlineData(128UL << 20, 64UL << 20)]
    [InlineData((128UL << 20) - 1, 32UL << 20)]
    [InlineData(30UL << 20, 8UL << 20)]
    [InlineData(1UL, 0UL)]
    [InlineData(0UL, 0UL)]
    public void Fit_LeavesAsMuchAsItTakes(ulong availableBytes, ulong expected) =>
        Assert.Equal(expected, MemoryRoom.Fit(64 * Units.MiB, availableBytes));

    [Fact]
    public void ThisProcess_HasSome() => Assert.InRange(MemoryRoom.AvailableBytes(), 1ul, 1ul << 50);

    void Write(string name, string text)
    {
        string path = Path.Combine(_root, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text + "\n");
    }
}
