// Images that are written to in place: random requests against a model, and power cuts after every step of the file.
using System;
using FastBackup.Base;
using FastBackup.Tests.Images;
using Xunit;

namespace FastBackup.Tests.Unit.Formats;

[Trait("System", "None")] // a long search of a model
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

    /// <summary>As a block device has an image.</summary>
    [Fact]
    public void AFileThatKeepsItsLength_IsFilled_AndThenFull()
    {
        (ulong requests, ulong failed) = (0, 0);
        TestSeed.ForEach(
            40,
            seed =>
            {
                Prng chance = new(seed);
                EmptyImage shape = EmptyImage.Any(chance) with { BackingBytes = 0 };
                byte[] file = shape.ToBytes();
                Array.Resize(ref file, file.Length + (int)chance.Below((ulong)shape.DiskBytes * 2));
                using ImageModel model = new(seed, file, []) { IsFixed = true, CutsPerCent = seed % 2 == 0 ? 20 : 0 };
                model.Run(sessions: 2, requests: 100);
                requests += model.RequestCount;
                failed += model.FailedCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{failed} of {requests} found no room");
        Assert.InRange(failed, 1ul, requests / 2);
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

    /// <summary>As a power cut leaves it: what is between is free, once.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AFileLongerThanItsCounts_IsFilled_AndThenFull(bool isFixed)
    {
        EmptyImage shape = new(9, 6, 3, false, 100 << 10, 0); // a block counts 64 clusters
        byte[] file = shape.ToBytes();
        Array.Resize(ref file, 100 * 512);
        TestSeed.ForEach(
            10,
            seed =>
            {
                using ImageModel model = new(seed, file, []) { IsFixed = isFixed };
                model.Run(sessions: 2, requests: 300);
            }
        );
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
