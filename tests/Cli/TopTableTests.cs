// The table of top fits any terminal, and says nothing that is not so.
using System;
using System.Text.Json.Nodes;
using FastBackup.Cli;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class TopTableTests
{
    [Fact]
    public void Lines_FitAnyWidth()
    {
        TopJob job = Job(total: 1UL << 40, done: 123_456_789_012);
        for (int width = 20; width <= 200; width++)
        {
            TopTable table = new(width);
            Assert.InRange(table.Head.Length, 10, width);
            Assert.InRange(table.Row(job).Length, 10, width);
        }
    }

    [Theory]
    [InlineData(20, "job done")]
    [InlineData(39, "job done rate left")]
    [InlineData(79, "job disk status done rate left p99ms")]
    [InlineData(102, "job disk status done rate left p99ms alone captured limit")]
    public void NarrowTable_LeavesOutWhatIsLeastNeeded(int width, string columns) =>
        Assert.Equal(
            columns,
            string.Join(
                ' ',
                new TopTable(width).Head.Replace("p99 ms", "p99ms").Split(' ', StringSplitOptions.RemoveEmptyEntries)
            )
        );

    [Theory]
    [InlineData(0, null)]
    [InlineData(65536, "none")]
    public void JobThatCopiesNothingOfItsOwn_IsNoPartOfTheWay(ulong bytes, string? sync)
    {
        string row = new TopTable(200).Row(Job(bytes, bytes, sync));
        Assert.DoesNotContain("100 %", row);
        Assert.Contains(" - ", row);
    }

    static TopJob Job(ulong total, ulong done, string? sync = "full")
    {
        JsonObject quiet = new() { ["count"] = 1UL, ["p99-ns"] = 123_456_789UL };
        JsonObject job = new()
        {
            ["id"] = "a-job-with-a-long-name",
            ["disk"] = "a-disk-with-a-long-name",
            ["status"] = "concluded",
            ["sync"] = sync,
            ["progress"] = new JsonObject { ["total-bytes"] = total, ["done-bytes"] = done },
            ["gauges"] = new JsonObject { ["capture-bytes"] = 1UL << 30, ["capture-limit-bytes"] = 1UL << 40 },
            ["quiet-guests"] = quiet,
            ["loaded-guests"] = quiet.DeepClone(),
        };
        return new TopJob(job, 1e9);
    }
}
