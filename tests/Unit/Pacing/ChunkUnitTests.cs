// The smallest chunk, found by chunks that were alone: what doubles it, what halves it, and what says nothing.
using FastBackup.Base;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Pacing;

public sealed class ChunkUnitTests
{
    const uint Min = 64 << 10;
    const uint Max = 256 << 10;
    const double GrowBelow = 1.5;
    const ulong SmallNs = 100 * Units.NsPerUs;
    const ulong FastNs = 2 * SmallNs; // a read and a write, each as fast as a small request
    const ulong SlowNs = 8 * SmallNs;

    readonly GuestPulse _pulse = new(new ManualWriteCounts());
    readonly ChunkUnit _unit;
    ulong _nowNs = Units.NsPerSecond;

    public ChunkUnitTests() => _unit = new ChunkUnit(Min, Max, _pulse);

    [Fact]
    public void FourFastOnes_DoubleIt_UpToTheBuffer()
    {
        Guests();
        Copy(FastNs, 3);
        Assert.Equal(Min, _unit.Bytes);
        Copy(FastNs, 1);
        Assert.Equal(2 * Min, _unit.Bytes);
        Assert.True(_unit.MustBeAlone); // the larger one is looked at as well
        Copy(FastNs, 40);
        Assert.Equal(Max, _unit.Bytes);
    }

    [Fact]
    public void FourSlowOnes_HalveIt_DownToACluster()
    {
        Guests();
        Copy(FastNs, 8);
        Assert.Equal(4 * Min, _unit.Bytes);
        Copy(SlowNs, 3);
        Assert.Equal(4 * Min, _unit.Bytes);
        Copy(SlowNs, 40);
        Assert.Equal(Min, _unit.Bytes);
    }

    [Fact]
    public void VotesThatAlternate_ChangeNothing()
    {
        Guests();
        Copy(FastNs, 4);
        for (int i = 0; i < 10; i++)
        {
            Copy(FastNs, 3);
            Copy(SlowNs, 3);
        }
        Assert.Equal(2 * Min, _unit.Bytes);
    }

    [Fact]
    public void ShortChunks_DoNotSpeakForLongerOnes()
    {
        Guests();
        Copy(FastNs, 4);
        for (int i = 0; i < 10; i++)
            One(FastNs, Min);
        Assert.Equal(2 * Min, _unit.Bytes);
    }

    [Fact]
    public void ChunksBesideOthers_AndThoseWithoutGuests_SayNothing()
    {
        Copy(FastNs, 10); // what a small request takes is not known
        Guests();
        for (int i = 0; i < 10; i++)
        {
            _unit.OnStarted(isAlone: false, _nowNs);
            _unit.OnDone(Min, GrowBelow, _nowNs + FastNs);
        }
        Assert.Equal(Min, _unit.Bytes);
        Assert.Equal(FastNs, _unit.AloneNs);
    }

    [Fact]
    public void LookAgain_AsksForFourAlone()
    {
        _unit.LookAgain();
        for (int i = 0; i < 4; i++)
        {
            Assert.True(_unit.MustBeAlone);
            One(FastNs, Min);
        }
        Assert.False(_unit.MustBeAlone);
    }

    [Fact]
    public void Reset_BeginsAtTheSmallest()
    {
        Guests();
        Copy(FastNs, 8);
        _unit.Reset();
        Assert.Equal(Min, _unit.Bytes);
    }

    void Guests()
    {
        for (int i = 0; i < 10; i++)
        {
            _pulse.Arrive(_nowNs);
            _pulse.Sample(GuestClass.SmallRead, _nowNs, _nowNs, _nowNs + SmallNs, wasQuiet: true);
            _pulse.Depart(_nowNs, _nowNs + SmallNs);
            _nowNs += SmallNs;
        }
    }

    void Copy(ulong durationNs, int count)
    {
        for (int i = 0; i < count; i++)
            One(durationNs, _unit.Bytes);
    }

    void One(ulong durationNs, uint lengthBytes)
    {
        _unit.OnStarted(isAlone: true, _nowNs);
        _nowNs += durationNs;
        _unit.OnDone(lengthBytes, GrowBelow, _nowNs);
    }
}
