// One at most goes on with a tracker, wherever a move ends, and it misses nothing; and what could be done wrong is
// found.
using System;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

[Trait("System", "None")] // a long search of a model
public sealed class MoveModelTests
{
    const int StepsPerSeed = 60;

    [Fact]
    public void AnyEnd_AtAnyStepOfAMove_LeavesOneAtMost_WhichMissesNothing()
    {
        ulong trialCount = 0;
        ulong moveCount = 0;
        TestSeed.ForEach(
            120,
            seed =>
            {
                MoveModel model = new(seed, MoveMistake.None);
                model.Run(StepsPerSeed);
                trialCount += model.TrialCount;
                moveCount += model.MoveCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{trialCount} trials, {moveCount} moves");
        Assert.True(trialCount > 3_000);
        Assert.True(moveCount > 60);
    }

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void AnyMistake_IsFound(MoveMistake mistake)
    {
        const ulong seedsMax = 200;
        for (ulong seed = 1; seed <= seedsMax; seed++)
        {
            try
            {
                new MoveModel(seed, mistake).Run(StepsPerSeed);
            }
            catch (ModelException found)
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {found.Message}");
                return;
            }
        }
        Assert.Fail($"{mistake} is not found by {seedsMax} seeds");
    }

    public static TheoryData<MoveMistake> Mistakes()
    {
        TheoryData<MoveMistake> rows = [];
        foreach (MoveMistake mistake in Enum.GetValues<MoveMistake>())
            if (mistake != MoveMistake.None)
                rows.Add(mistake);
        return rows;
    }
}
