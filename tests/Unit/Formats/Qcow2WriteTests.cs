// Images that are written to in place: random requests against a model, and power cuts after every step of the file.
using System;
using System.Buffers.Binary;
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
                using ImageModel model = new(seed, file, [])
                {
                    IsFixed = true,
                    CutsPerCent = seed % 2 == 0 ? 20 : 0,
                    GrowthBytes = seed % 3 == 0 ? 64u << 10 : 0,
                };
                model.Run(sessions: 2, requests: 100);
                requests += model.RequestCount;
                failed += model.FailedCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{failed} of {requests} found no room");
        Assert.InRange(failed, 1ul, requests / 2);
    }

    /// <summary>While it is written to, and while they are stored: what is said to be right knows of every change.
    /// </summary>
    [Fact]
    public void APowerCut_AtAnyStep_LeavesNoBitmapThatIsRightAndIsNot()
    {
        (ulong cuts, ulong stored) = (0, 0);
        TestSeed.ForEach(
            60,
            seed =>
            {
                using ImageModel model = ImageModel.OfSeed(seed, cutsPerCent: 100, hasBitmaps: true);
                model.Run(sessions: 5, requests: 60);
                cuts += model.CutCount;
                stored += model.Bitmaps?.StoredCount ?? 0;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{cuts} cuts, {stored} bitmaps stored");
        Assert.True(cuts > 0 && stored > 0);
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

    /// <summary>As block_resize has it, with all that guests do beside it.</summary>
    [Fact]
    public void ADiskThatGrows_IsWhatTheModelSays_AndNothingLeaks()
    {
        ulong grown = 0;
        TestSeed.ForEach(
            160,
            seed =>
            {
                using ImageModel model = ImageModel.OfSeed(seed, growthBytes: 160 << 10);
                model.Run(sessions: 2, requests: 120);
                grown += model.GrownCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"grown {grown} times");
        Assert.True(grown >= 300);
    }

    [Fact]
    public void APowerCut_WhileTheDiskGrows_LeavesTheOldSizeOrTheNew()
    {
        (ulong cuts, ulong grown) = (0, 0);
        TestSeed.ForEach(
            40,
            seed =>
            {
                using ImageModel model = ImageModel.OfSeed(seed, cutsPerCent: 100, growthBytes: 160 << 10);
                model.Run(sessions: 3, requests: 70);
                (cuts, grown) = (cuts + model.CutCount, grown + model.GrownCount);
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{cuts} power cuts, grown {grown} times");
        Assert.True(cuts >= 5_000 && grown >= 60);
    }

    /// <summary>Its L1 table takes many clusters, and blocks of reference counts of its own.</summary>
    [Theory]
    [InlineData(9, 6)]
    [InlineData(9, 4)]
    [InlineData(9, 0)]
    [InlineData(10, 5)]
    public void ATableOfManyClusters_IsMoved(int clusterBits, int refcountOrder) =>
        TestSeed.ForEach(
            4,
            seed =>
            {
                EmptyImage shape = new(clusterBits, refcountOrder, 3, false, 100 << 10, (int)(seed % 2) * (3 << 20));
                byte[] backing = new byte[shape.BackingBytes];
                new Prng(seed).Fill(backing);
                using ImageModel model = new(seed, shape.ToBytes(), backing) { CutsPerCent = 5, GrowthBytes = 6 << 20 };
                model.Run(sessions: 2, requests: 120);
                Assert.True(model.GrownCount > 0);
            }
        );

    /// <summary>Its blocks of reference counts are named in two pages of their table.</summary>
    [Fact]
    public void ATableThatNeedsBlocksOfTwoPages_IsMoved()
    {
        byte[] file = new EmptyImage(9, 6, 3, false, 100 << 10, 0).BeforeTwoPages();
        byte[] after = GrownImage.Of(file, 100 << 20);
        Assert.Equal(100u * 32, BinaryPrimitives.ReadUInt32BigEndian(after.AsSpan(36))); // entries of 32 KiB
        Assert.True(after.AsSpan(10 * 512 + 191 * 8, 8).ContainsAnyExcept((byte)0));
        Assert.True(after.AsSpan(10 * 512 + 192 * 8, 8).ContainsAnyExcept((byte)0));
    }

    /// <summary>As a machine's state lies there, or what a program has left that made the disk smaller.</summary>
    [Fact]
    public void WhatLiesBehindTheEnd_IsNotSeen_WhenTheDiskGrowsOverIt()
    {
        ulong grown = 0;
        TestSeed.ForEach(
            60,
            seed =>
            {
                EmptyImage shape = EmptyImage.Any(new Prng(seed)) with { DiskBytes = 200 << 10, BackingBytes = 0 };
                using ImageModel before = new(seed, shape.ToBytes(), []);
                before.Run(sessions: 1, requests: 120);
                byte[] file = before.Content;
                ulong smallerBytes = 512 * (64 + new Prng(seed).Below(200));
                BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(24), smallerBytes);
                using ImageModel model = new(seed, file, []) { CutsPerCent = 10, GrowthBytes = 250 << 10 };
                model.Run(sessions: 3, requests: 80);
                grown += model.GrownCount;
            }
        );
        Assert.True(grown > 60);
    }

    /// <summary>As a power cut leaves it: what is between is free, once.</summary>
    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void AFileLongerThanItsCounts_IsFilled_AndThenFull(bool isFixed, bool hasGap)
    {
        EmptyImage shape = new(9, 6, 3, false, 100 << 10, 0); // a block counts 64 clusters
        byte[] file = shape.ToBytes();
        int block = file.Length;
        Array.Resize(ref file, 100 * 512);
        if (hasGap) // clusters far behind the end are counted, those around it are not
        {
            BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(512 + 2 * 8), (ulong)block);
            BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(1024 + block / 512 * 8), 1);
        }
        TestSeed.ForEach(
            10,
            seed =>
            {
                using ImageModel model = new(seed, file, [])
                {
                    IsFixed = isFixed,
                    GrowthBytes = seed % 2 == 0 ? 4u << 20 : 0,
                };
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
                using ImageModel model = ImageModel.OfSeed(seed, growthBytes: (int)(seed % 2) * (64 << 10));
                model.RunIntoTrouble(60);
            }
        );
}
