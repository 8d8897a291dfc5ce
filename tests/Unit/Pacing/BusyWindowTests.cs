// The window's single steps: who is judged, when it grows, when it is cut and how far.
using FastBackup.Base;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Pacing;

public sealed class BusyWindowTests
{
    const uint ChunkMin = 64 << 10;
    const uint ChunkMax = 1 << 20;
    const ulong WindowMax = 16ul * ChunkMax;
    const ulong FirstBytes = 4 * ChunkMin;
    const ulong IdleNs = 100 * Units.NsPerUs;
    const ulong LateNs = 20 * IdleNs;
    const ulong Ms = Units.NsPerMs;

    readonly GuestPulse _pulse = new(new ManualWriteCounts());
    readonly BusyWindow _window;
    ulong _nowNs = Units.NsPerSecond;

    public BusyWindowTests()
    {
        RateSearch search = new(ChunkMin, ChunkMax, WindowMax);
        ChunkUnit unit = new(ChunkMin, ChunkMax, _pulse);
        _window = new BusyWindow(ChunkMin, WindowMax, _pulse, search, unit)
        {
            Tuning = GovernorTuning.Of(GuestPriority.Balanced),
        };
    }

    [Fact]
    public void ItBeginsWithFourOfTheSmallestChunks() => Assert.Equal(FirstBytes, _window.Bytes);

    [Fact]
    public void WithoutKnowingTheIdleDisk_ItAsksForAProbe_AndStays()
    {
        Full(LateNs);
        Assert.True(_window.WantsProbe);
        Assert.Equal(FirstBytes, _window.Bytes);
    }

    [Fact]
    public void ItGrows_OnlyWhereItWasInTheWay_AndOnceAMillisecond()
    {
        LearnIdle();
        Done(IdleNs);
        Assert.Equal(FirstBytes, _window.Bytes); // nobody was refused
        Full(IdleNs);
        ulong grown = _window.Bytes;
        Assert.Equal(FirstBytes * 9 / 8, grown);
        _window.OnRefused();
        Done(IdleNs, afterNs: Ms / 2);
        Assert.Equal(grown, _window.Bytes);
        Done(IdleNs, afterNs: Ms / 2);
        Assert.Equal(grown * 9 / 8, _window.Bytes);
    }

    [Fact]
    public void OneLateRequest_CutsIt_AndAThriftyGuestSavesUpForOne()
    {
        LearnIdle();
        for (int i = 0; i < 20; i++)
            Full(IdleNs);
        ulong grown = _window.Bytes;
        Done(LateNs); // 20 of the hundredths that it takes
        Assert.Equal(grown / 2, _window.Bytes);
        Shrunk();
        for (int i = 0; i < 100; i++)
            Done(IdleNs);
        Done(LateNs / 4); // late, not severely
        Assert.Equal(grown / 2, _window.Bytes);
    }

    [Fact]
    public void AfterACut_NobodyIsJudged_UntilTheQueueHasShrunk_NorWhoCameBefore()
    {
        LearnIdle();
        for (int i = 0; i < 20; i++)
            Full(IdleNs);
        ulong metOldQueueNs = _nowNs;
        Done(LateNs);
        ulong cut = _window.Bytes;
        Done(LateNs);
        Assert.Equal(cut, _window.Bytes);
        _window.See(cut + 1, _nowNs);
        Done(LateNs);
        Assert.Equal(cut, _window.Bytes);
        Shrunk();
        _window.OnGuestDone(new GuestSample(GuestClass.SmallRead, metOldQueueNs, 0, _nowNs - metOldQueueNs, _nowNs));
        Assert.Equal(cut, _window.Bytes);
        Done(LateNs);
        Assert.True(_window.Bytes < cut);
    }

    [Fact]
    public void AtTheFloor_ItStays_AndAsksForAProbe()
    {
        LearnIdle();
        for (int i = 0; i < 10; i++)
        {
            Done(LateNs);
            Shrunk();
        }
        Assert.Equal(2ul * ChunkMin, _window.Bytes);
        Assert.True(_window.WantsProbe);
    }

    [Fact]
    public void RequestsThatDoNotEnd_CutItByTheirAge()
    {
        LearnIdle();
        for (int i = 0; i < 20; i++)
            Full(IdleNs);
        ulong grown = _window.Bytes;
        _pulse.Arrive(_nowNs);
        _window.OnChunkDone(ChunkMin, _nowNs + IdleNs);
        Assert.Equal(grown, _window.Bytes);
        _window.OnChunkDone(ChunkMin, _nowNs + LateNs);
        Assert.Equal(grown / 2, _window.Bytes);
    }

    void LearnIdle()
    {
        for (int i = 0; i < 300; i++)
        {
            _pulse.Arrive(_nowNs);
            _pulse.Sample(GuestClass.SmallRead, _nowNs, _nowNs, _nowNs + IdleNs, wasQuiet: true);
            _pulse.Depart(_nowNs, _nowNs + IdleNs);
            _nowNs += 10 * IdleNs;
        }
    }

    void Full(ulong latencyNs)
    {
        _window.OnRefused();
        Done(latencyNs, afterNs: 2 * Ms);
    }

    void Done(ulong latencyNs, ulong afterNs = 0)
    {
        _nowNs += afterNs + latencyNs;
        _window.OnGuestDone(new GuestSample(GuestClass.SmallRead, _nowNs - latencyNs, 0, latencyNs, _nowNs));
    }

    void Shrunk() => _window.See(0, _nowNs);
}
