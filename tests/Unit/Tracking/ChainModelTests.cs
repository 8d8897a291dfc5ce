// Every copy of every chain is the disk as it was; and what could be done wrong on the way is found.
using System;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

[Trait("System", "None")] // chains of a model
public sealed class ChainModelTests
{
    [Fact]
    public void ThousandChains_RestoreEachPoint()
    {
        ulong copyCount = 0;
        ulong endCount = 0;
        ulong growthCount = 0;
        TestSeed.ForEach(
            1000,
            seed =>
            {
                using ChainModel model = new(seed, ChainMistake.None, isTried: false);
                model.Run(seed % 16 == 0 ? 1 + (int)(seed / 16 % 64) : 1 + (int)(seed % 6));
                copyCount += model.CopyCount;
                endCount += model.EndCount;
                growthCount += model.GrowthCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{copyCount} copies, {endCount} ends, {growthCount} times grown"
        );
        Assert.True(endCount > 0);
        Assert.True(growthCount > 0);
    }

    [Fact]
    public void AnyEnd_AtAnyCommand_MissesNothing()
    {
        ulong trialCount = 0;
        TestSeed.ForEach(
            20,
            seed =>
            {
                using ChainModel model = new(seed, ChainMistake.None, isTried: true);
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
                using ChainModel model = new(seed, mistake, isTried: true);
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
