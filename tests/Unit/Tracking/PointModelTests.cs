// A point is there whole or not at all, wherever power or the process ends, and no other point loses a bit; and what
// could be done wrong is found.
using System;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

[Trait("Length", "Long")] // not in the quick check
public sealed class PointModelTests
{
    const int StepsPerSeed = 40;

    [Fact]
    public void AnyEnd_AtAnyStep_FindsOldOrNew()
    {
        ulong cutCount = 0;
        TestSeed.ForEach(
            41,
            seed =>
            {
                PointModel model = new(seed, PointMistake.None);
                model.Run(StepsPerSeed);
                cutCount += model.CutCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{cutCount} power cuts");
        Assert.True(cutCount >= PowerCuts.OfPoints);
    }

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void AnyMistake_IsFound(PointMistake mistake)
    {
        const ulong seedsMax = 60;
        for (ulong seed = 1; seed <= seedsMax; seed++)
        {
            try
            {
                new PointModel(seed, mistake).Run(StepsPerSeed);
            }
            catch (ModelException found)
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {found.Message}");
                return;
            }
        }
        Assert.Fail($"{mistake} is not found by {seedsMax} seeds");
    }

    public static TheoryData<PointMistake> Mistakes()
    {
        TheoryData<PointMistake> rows = [];
        foreach (PointMistake mistake in Enum.GetValues<PointMistake>())
            if (mistake != PointMistake.None)
                rows.Add(mistake);
        return rows;
    }
}
