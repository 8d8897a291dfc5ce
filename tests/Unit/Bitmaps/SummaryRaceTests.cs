// The orders of SummaryProtocolTests in which a line would be lost without a second look, or without going on upwards
// after it, played in the code itself.
using System;
using FastBackup.Bitmaps;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

public sealed class SummaryRaceTests
{
    const ulong BitCount = 1 << 22; // three levels
    const ulong Line = 512;
    const ulong Far = 3 << 18; // a search from the start finds it by all three levels

    [Fact]
    public void SetBetweenTheTestAndTheClear_IsFound()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(BitCount, 1);
        bitmap.SetBits(Far + 7, 1);
        Watch.Before = (it, level) => it.SetBits(Far + 9, level == 1 ? 1ul : 0); // sees the summary set, and leaves it
        Assert.True(bitmap.TryClaim<Watch>(Far + 7));
        AssertOnly(bitmap, Far + 9);
    }

    [Fact]
    public void SetBetweenTheClearAndTheSecondLook_IsFound()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(BitCount, 1);
        bitmap.SetBits(Far + 7, 1);
        Watch.After = (it, level) => it.SetBits(Far + 9, level == 1 ? 1ul : 0);
        Assert.True(bitmap.TryClaim<Watch>(Far + 7));
        AssertOnly(bitmap, Far + 9);
    }

    [Fact]
    public void AnotherClearerTakesTheLineAboveForZeroMeanwhile_TheSetIsFound()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(BitCount, 1);
        bitmap.SetBits(Far + 7, 1);
        bitmap.SetBits(Far + Line, 1); // its summary is in the same line of level 1
        Watch.Before = (it, level) => it.SetBits(Far + 9, level == 1 ? 1ul : 0);
        Watch.After = (it, level) => Assert.True(level != 1 || it.TryClaim(Far + Line));
        Assert.True(bitmap.TryClaim<Watch>(Far + 7));
        AssertOnly(bitmap, Far + 9);
    }

    [Fact]
    public void SetOneLevelUpWhileThatLineIsCleared_IsFound()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(BitCount, 1);
        bitmap.SetBits(Far + 7, 1);
        Watch.Before = (it, level) => it.SetBits(Far + 5 * Line, level == 2 ? 1ul : 0);
        Assert.True(bitmap.TryClaim<Watch>(Far + 7));
        AssertOnly(bitmap, Far + 5 * Line);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void RangeIsCleared_ASetInOneOfItsLinesMeanwhile_IsFound(bool isBefore)
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(BitCount, 1);
        bitmap.SetBits(Far, 20 * Line);
        void SetOne(HierarchicalBitmap it, int level) => it.SetBits(Far + 9 * Line, level == 1 ? 1ul : 0);
        Watch.Before = isBefore ? SetOne : null;
        Watch.After = isBefore ? null : SetOne;
        bitmap.ResetRange<Watch>(Far, Far + 20 * Line - 1);
        AssertOnly(bitmap, Far + 9 * Line);
    }

    [Fact]
    public void RangeIsCleared_ASetWhileTheLineAboveIs_IsFound()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(BitCount, 1);
        bitmap.SetBits(Far, 64 * Line);
        Watch.Before = (it, level) => it.SetBits(Far + 5 * Line, level == 2 ? 1ul : 0);
        bitmap.ResetRange<Watch>(Far, Far + 64 * Line - 1);
        AssertOnly(bitmap, Far + 5 * Line);
    }

    [Fact]
    public void RangeIsCleared_AnotherClearerTakesTheLineAboveForZeroMeanwhile_TheSetIsFound()
    {
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(BitCount, 1);
        bitmap.SetBits(Far, 2 * Line);
        bitmap.SetBits(Far + 70 * Line, 1); // its summary is in the same line of level 1
        Watch.Before = (it, level) => it.SetBits(Far + 9, level == 1 ? 1ul : 0);
        Watch.After = (it, level) => Assert.True(level != 1 || it.TryClaim(Far + 70 * Line));
        bitmap.ResetRange<Watch>(Far, Far + 2 * Line - 1);
        AssertOnly(bitmap, Far + 9);
    }

    static void AssertOnly(HierarchicalBitmap bitmap, ulong bit)
    {
        (Watch.Before, Watch.After) = (null, null);
        Assert.Equal(bit, bitmap.NextDirtyBit(0, BitCount));
        Assert.Equal(1ul, bitmap.CountBits());
    }

    readonly struct Watch : ISummaryWatch
    {
        [ThreadStatic]
        public static Action<HierarchicalBitmap, int>? Before;

        [ThreadStatic]
        public static Action<HierarchicalBitmap, int>? After;

        public static void BeforeClear(HierarchicalBitmap bitmap, int level) => Before?.Invoke(bitmap, level);

        public static void AfterClear(HierarchicalBitmap bitmap, int level) => After?.Invoke(bitmap, level);
    }
}
