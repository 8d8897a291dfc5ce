// Every copy of every chain is the disk as it was; and what could be done wrong on the way is found. With
// FASTBACKUP_CHAINS=long each of the thousand chains may have 64 links and as many points at once, and six times as
// many are ended at each of their commands: fifteen minutes.
using System;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

[Trait("System", "None")] // chains of a model
public sealed class ChainModelTests
{
    const int LinksMax = 64;
    const int PointsAtOnceUsual = 8;

    static bool IsLong => Environment.GetEnvironmentVariable("FASTBACKUP_CHAINS") == "long";

    [Fact]
    public void ThousandChains_RestoreEachPoint()
    {
        bool isLong = IsLong;
        int pointsMax = isLong ? LinksMax : PointsAtOnceUsual;
        int linkCount = 0;
        ulong copyCount = 0;
        ulong endCount = 0;
        ulong growthCount = 0;
        TestSeed.ForEach(
            1000,
            seed =>
            {
                using ChainModel model = new(seed, ChainMistake.None, isTried: false, pointsMax);
                int links =
                    isLong ? 1 + (int)(seed % LinksMax)
                    : seed % 16 == 0 ? 1 + (int)(seed / 16 % LinksMax)
                    : 1 + (int)(seed % 6);
                model.Run(links);
                linkCount += links;
                copyCount += model.CopyCount;
                endCount += model.EndCount;
                growthCount += model.GrowthCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{linkCount} links, {copyCount} copies, {endCount} ends, {growthCount} times grown"
        );
        Assert.True(endCount > 0);
        Assert.True(growthCount > 0);
    }

    [Fact]
    public void AnyEnd_AtAnyCommand_MissesNothing()
    {
        ulong trialCount = 0;
        TestSeed.ForEach(
            IsLong ? 60ul : 10ul,
            seed =>
            {
                using ChainModel model = new(seed, ChainMistake.None, isTried: true, PointsAtOnceUsual);
                model.Run(12);
                trialCount += model.TrialCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{trialCount} trials");
        Assert.True(trialCount > 1000);
    }

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void AnyMistake_IsFound(ChainMistake mistake)
    {
        const ulong seedsMax = 60;
        for (ulong seed = 1; seed <= seedsMax; seed++)
        {
            try
            {
                using ChainModel model = new(seed, mistake, isTried: true, PointsAtOnceUsual);
                model.Run(12);
            }
            catch (ModelException found)
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {found.Message}");
                return;
            }
        }
        Assert.Fail($"{mistake} is not found by {seedsMax} seeds");
    }

    public static TheoryData<ChainMistake> Mistakes()
    {
        TheoryData<ChainMistake> rows = [];
        foreach (ChainMistake mistake in Enum.GetValues<ChainMistake>())
            if (mistake != ChainMistake.None)
                rows.Add(mistake);
        return rows;
    }
}
