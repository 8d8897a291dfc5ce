// Images that are written to in place: random requests against a model, and power cuts after every step of the file.
using System;
using FastBackup.Tests.Images;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

public sealed class Qcow2WriteTests
{
    [Fact]
    public void RandomRequests_AreWhatTheModelSays_AndNothingLeaks()
    {
        ulong requests = 0;
        TestSeed.ForEach(
            240,
            seed =>
            {
                using ImageModel model = ImageModel.OfSeed(seed);
                model.Run(sessions: 2, requests: 150);
                requests += model.RequestCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{requests} requests");
    }

    [Fact]
    public void APowerCut_AtAnyStep_LeavesLeaksAtMost()
    {
        ulong cuts = 0;
        TestSeed.ForEach(
            48,
            seed =>
            {
                using ImageModel model = ImageModel.OfSeed(seed, cutsPerCent: 100);
                model.Run(sessions: 3, requests: 110);
                cuts += model.CutCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{cuts} power cuts");
        Assert.True(cuts >= 10_000);
    }

    [Fact]
    public void AFileThatFails_IsTheEndOfWriting_AndOfNothingElse() =>
        TestSeed.ForEach(
            40,
            seed =>
            {
                using ImageModel model = ImageModel.OfSeed(seed);
                model.RunIntoTrouble(60);
            }
        );
}
