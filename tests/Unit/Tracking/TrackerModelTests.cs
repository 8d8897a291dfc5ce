// A tracker never misses what may have landed, wherever power or the process ends; and what it could do wrong is found.
using System;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

[Trait("Length", "Long")] // not in the quick check
public sealed class TrackerModelTests
{
    const int StepsPerSeed = 300;

    [Fact]
    public void AnyEnd_AtAnyStep_MissesNothing()
    {
        ulong cutCount = 0;
        ulong realCount = 0;
        TestSeed.ForEach(
            45,
            seed =>
            {
                using TrackerModel model = new(seed, ModelMistake.None);
                model.Run(StepsPerSeed);
                cutCount += model.CutCount;
                realCount += model.RealCutCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{cutCount} power cuts, {realCount} ends that were real");
        Assert.True(cutCount >= PowerCuts.OfTracker);
        Assert.True(realCount > 0);
    }

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void AnyMistake_IsFound(ModelMistake mistake)
    {
        const ulong seedsMax = 60;
        for (ulong seed = 1; seed <= seedsMax; seed++)
        {
            try
            {
                using TrackerModel model = new(seed, mistake);
                model.Run(StepsPerSeed);
            }
            catch (ModelException found)
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {found.Message}");
                return;
            }
        }
        Assert.Fail($"{mistake} is not found by {seedsMax} seeds");
    }

    public static TheoryData<ModelMistake> Mistakes()
    {
        TheoryData<ModelMistake> rows = [];
        foreach (ModelMistake mistake in Enum.GetValues<ModelMistake>())
            if (mistake != ModelMistake.None)
                rows.Add(mistake);
        return rows;
    }
}
